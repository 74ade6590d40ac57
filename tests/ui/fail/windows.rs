use ratelimit::rate_limit;

#[rate_limit(limit = 60, per = "1 fortnight")]
async fn fortnight() {}

#[rate_limit(limit = 60, per = "0s")]
async fn nothing() {}

#[rate_limit(limit = 60, per = "60")]
async fn no_unit() {}

#[rate_limit(limit = 60, per = "5minutes")]
async fn minutes() {}

#[rate_limit(limit = 60, per = 60)]
async fn number() {}

#[rate_limit(limit = 60, per = 1m)]
async fn without_quotes() {}

#[rate_limit(limit = 60, per = "400d")]
async fn too_long() {}

fn main() {}
