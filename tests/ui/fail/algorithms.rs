use ratelimit::rate_limit;

#[rate_limit(limit = 60, algo = "token_buckett")]
async fn misspelt() {}

#[rate_limit(limit = 60, algo = "TokenBucket")]
async fn another_case() {}

#[rate_limit(limit = 60, algo = "gcra")]
async fn another_name() {}

#[rate_limit(limit = 60, algo = "random")]
async fn unknown() {}

#[rate_limit(limit = 60, algo = 3)]
async fn a_number() {}

fn main() {}
