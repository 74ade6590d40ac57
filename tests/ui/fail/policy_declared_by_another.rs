use ratelimit::policy;

policy! { Copy: policy = Other }

fn main() {}
