#![deny(warnings, missing_docs, unreachable_pub)]

//! Names that the expansion might use for itself.

use axum::{
    Router,
    http::{Method, Uri},
    routing::get,
};
use ratelimit::rate_limit;

const POLICY: u32 = 5;
static HEADER: u32 = 5;

#[rate_limit(limit = POLICY)]
async fn handler(responder: Method, argument_1: Uri) -> String {
    let argument_0 = HEADER;
    format!("{responder} {argument_0} {argument_1}")
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
