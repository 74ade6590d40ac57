#![deny(warnings, missing_docs, unreachable_pub)]

//! A handler made by `macro_rules!`.

use axum::{
    Router,
    http::{Method, Uri},
    routing::get,
};
use ratelimit::rate_limit;

macro_rules! handler {
    ($name:ident, $limit:expr, $per:literal, $argument:ty) => {
        #[rate_limit(limit = $limit, per = $per)]
        async fn $name(argument: $argument) -> String {
            argument.to_string()
        }
    };
}

handler!(method, 60, "1s", Method);
handler!(uri, 6 * 100, "1m", Uri);

fn main() {
    let _: Router = Router::new()
        .route("/method", get(method))
        .route("/uri", get(uri));
}
