use ratelimit::rate_limit;

#[rate_limit(limit = 0)]
async fn zero() {}

#[rate_limit(limit = -5)]
async fn negative() {}

#[rate_limit(limit = 0.5)]
async fn fraction() {}

#[rate_limit(limit = 4_294_967_296)]
async fn overflow() {}

#[rate_limit(limit = "60")]
async fn text() {}

#[rate_limit(limit = 60u64)]
async fn suffix() {}

#[rate_limit(limit = true)]
async fn boolean() {}

#[rate_limit(limit = unlimited)]
async fn unlimited() {}

fn main() {}
