use ratelimit::rate_limit;

mod limits {
    const LIMIT: u32 = 60;
}

#[rate_limit(limit = limits::LIMIT)]
async fn handler() {}

fn main() {}
