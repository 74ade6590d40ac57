use axum::http::StatusCode;
use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler() -> (StatusCode, u8) {
    (StatusCode::OK, 5)
}

fn main() {}
