#![deny(warnings, missing_docs, unreachable_pub)]

//! `Path` and `Query`.

use axum::{
    Router,
    extract::{Path, Query},
    routing::get,
};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(Path(id): Path<u32>, Query(query): Query<Vec<(String, String)>>) -> String {
    format!("{id} {query:?}")
}

fn main() {
    let _: Router = Router::new().route("/{id}", get(handler));
}
