#![deny(warnings, missing_docs, unreachable_pub)]

//! Each algorithm, as a text and as a word.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5, algo = "token_bucket")]
async fn bucket() {}

#[rate_limit(limit = 5, algo = "sliding_window")]
async fn sliding() {}

#[rate_limit(limit = 5, algo = "fixed_window")]
async fn fixed() {}

#[rate_limit(limit = 5, algo = token_bucket)]
async fn bucket_word() {}

#[rate_limit(limit = 5, algo = sliding_window)]
async fn sliding_word() {}

#[rate_limit(limit = 5, algo = fixed_window)]
async fn fixed_word() {}

fn main() {
    let _: Router = Router::new()
        .route("/bucket", get(bucket))
        .route("/sliding", get(sliding))
        .route("/fixed", get(fixed))
        .route("/bucket_word", get(bucket_word))
        .route("/sliding_word", get(sliding_word))
        .route("/fixed_word", get(fixed_word));
}
