#![deny(unused_variables)]

use axum::http::Method;
use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler(method: Method) {}

fn main() {}
