use ratelimit::policy;

policy! { pub Shared limit = 60 }

fn main() {}
