use ratelimit::policy;

policy! { pub Shared }

fn main() {}
