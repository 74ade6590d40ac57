#![deny(warnings)]

//! With the attributes that handlers often have, above and below.

use axum::{Router, debug_handler, extract::State, http::Uri, routing::get};
use ratelimit::rate_limit;

#[debug_handler]
#[rate_limit(limit = 5)]
async fn debug_above(uri: Uri, State(()): State<()>) -> String {
    uri.to_string()
}

#[rate_limit(limit = 5)]
#[debug_handler]
async fn debug_below(uri: Uri) -> String {
    uri.to_string()
}

#[rate_limit(limit = 5)]
#[debug_handler]
async fn debug_below_without_arguments() {}

#[tracing::instrument]
#[rate_limit(limit = 5)]
async fn instrument_above(uri: Uri) -> String {
    uri.to_string()
}

#[rate_limit(limit = 5)]
#[tracing::instrument(skip_all)]
async fn instrument_below(uri: Uri) -> String {
    uri.to_string()
}

fn main() {
    let _: Router = Router::new()
        .route("/1", get(debug_above))
        .route("/2", get(debug_below))
        .route("/3", get(debug_below_without_arguments))
        .route("/4", get(instrument_above))
        .route("/5", get(instrument_below));
}
