use ratelimit::rate_limit;

fn limit() -> u32 {
    60
}

#[rate_limit(limit = limit())]
async fn handler() {}

fn main() {}
