use ratelimit::policy;

const LIMIT: u32 = 0;

policy! { Shared: limit = LIMIT }

fn main() {}
