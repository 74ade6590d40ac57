use ratelimit::rate_limit;

struct NoResponse;

#[rate_limit(limit = 60)]
async fn handler() -> NoResponse {
    NoResponse
}

fn main() {}
