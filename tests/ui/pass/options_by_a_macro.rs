#![deny(warnings, missing_docs, unreachable_pub)]

//! Options made by `macro_rules!`.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

macro_rules! limited {
    ($($options:tt)*) => {
        #[rate_limit($($options)*)]
        async fn handler() {}
    };
}

limited!(limit = 60, algo = "token_bucket", burst = 20);

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
