use ratelimit::policy;

policy! { pub Wrong: limit = 0 }

// The type is there, so this is not wrong as well.
#[allow(dead_code)]
fn uses(_: Wrong) {}

fn main() {}
