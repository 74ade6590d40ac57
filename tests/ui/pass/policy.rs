#![deny(warnings, missing_docs, unreachable_pub)]

//! A policy that handlers share.

use axum::{Router, http::Method, routing::get};
use ratelimit::{policy, rate_limit};

policy! {
    /// What each client may do with articles.
    pub(crate) Articles: limit = 60, per = "1m"
}

#[rate_limit(policy = Articles)]
async fn list() {}

#[rate_limit(policy = Articles)]
async fn show(_: Method) {}

fn main() {
    let _: Router = Router::new()
        .route("/list", get(list))
        .route("/show", get(show));
}
