#![deny(warnings, missing_docs, unreachable_pub)]

//! A `Result`, and `?`.

use std::num::ParseIntError;

use axum::{Router, http::StatusCode, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(text: String) -> Result<String, (StatusCode, String)> {
    let number: u32 = text.parse().map_err(no_number)?;
    Ok(number.to_string())
}

fn no_number(error: ParseIntError) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, error.to_string())
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
