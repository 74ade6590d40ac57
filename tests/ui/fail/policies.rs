use ratelimit::policy;

policy! { pub Wrong: limit = 0, brust = 5 }

policy! { pub NoColon }

policy! { limit = 60 }

policy! { Copied: policy = Wrong }

// The type is there, so this is not wrong as well.
#[allow(dead_code)]
fn uses(_: Wrong) {}

fn main() {}
