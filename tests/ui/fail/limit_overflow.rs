use ratelimit::rate_limit;

#[rate_limit(limit = 4_294_967_296)]
async fn handler() {}

fn main() {}
