use ratelimit::rate_limit;

const NAME: &str = "";

#[rate_limit(limit = 60, name = NAME)]
async fn handler() {}

fn main() {}
