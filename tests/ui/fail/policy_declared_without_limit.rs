use ratelimit::policy;

policy! { pub Shared: per = "1h" }

fn main() {}
