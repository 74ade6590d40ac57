use ratelimit::rate_limit;

#[rate_limit(identity = User, pro = 600)]
async fn handler() {}

fn main() {}
