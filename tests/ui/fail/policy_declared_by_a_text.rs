use ratelimit::policy;

policy! { "shared": limit = 60 }

fn main() {}
