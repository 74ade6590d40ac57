use ratelimit::rate_limit;

#[rate_limit(limit = 60, key = host("shop.example.com"))]
async fn handler() {}

fn main() {}
