#![deny(warnings, missing_docs, unreachable_pub)]

//! The crate by another name.

use axum::{Router, routing::get};

mod renamed {
    pub(super) mod limits {
        pub(crate) use ratelimit::*;
    }
}

#[renamed::limits::rate_limit(tier_header = "X-API-Key", free = 5, crate = crate::renamed::limits)]
async fn handler() {}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
