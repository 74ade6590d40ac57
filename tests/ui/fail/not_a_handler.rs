use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
struct Handler;

#[rate_limit(limit = 60)]
fn not_async() {}

#[rate_limit(limit = 60)]
async unsafe fn not_safe() {}

#[rate_limit(limit = 60)]
async extern "C" fn foreign() {}

struct Service;

impl Service {
    #[rate_limit(limit = 60)]
    async fn method(&self) {}
}

fn main() {}
