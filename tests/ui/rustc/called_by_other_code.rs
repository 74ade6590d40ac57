use axum::http::Method;
use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler(_: Method) {}

async fn other() {
    handler(Method::GET).await;
}

fn main() {}
