use axum::extract::State;
use ratelimit::rate_limit;

struct Service;

impl Service {
    #[rate_limit(limit = 60)]
    async fn handler(State(_): State<Self>) {}
}

fn main() {}
