use ratelimit::rate_limit;

mod limits {
    ratelimit::policy! { Shared: limit = 60 }
}

#[rate_limit(policy = limits::Shared)]
async fn handler() {}

fn main() {}
