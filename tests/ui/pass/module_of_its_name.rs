#![deny(warnings, missing_docs, unreachable_pub)]

//! A module of the handler's name.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

mod search {
    pub(crate) const ANSWER: &str = "found";
}

#[rate_limit(limit = 5)]
async fn search() -> &'static str {
    search::ANSWER
}

fn main() {
    let _: Router = Router::new().route("/", get(search));
}
