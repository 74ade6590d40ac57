use ratelimit::policy;

policy! { limit = 60 }

fn main() {}
