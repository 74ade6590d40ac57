#![deny(warnings, missing_docs, unreachable_pub)]

//! Answers that give back.

use axum::{Router, response::Response, routing::get};
use ratelimit::rate_limit;

fn has_logged_in(response: &Response) -> bool {
    response.status().is_success()
}

#[rate_limit(limit = 5, refund_if = has_logged_in)]
async fn function() {}

#[rate_limit(limit = 5, refund_if = |response| response.status().is_success())]
async fn closure() {}

fn main() {
    let _: Router = Router::new()
        .route("/function", get(function))
        .route("/closure", get(closure));
}
