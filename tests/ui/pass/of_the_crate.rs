#![deny(warnings, missing_docs, unreachable_pub)]

//! A `pub(crate)` handler in nested modules.

use axum::{Router, routing::get};

mod api {
    pub(crate) mod articles {
        use ratelimit::rate_limit;

        #[rate_limit(limit = 5)]
        pub(crate) async fn list() {}

        #[rate_limit(limit = 5)]
        pub(in crate::api) async fn show() {}
    }

    #[allow(dead_code)]
    fn routes() -> axum::Router {
        axum::Router::new().route("/show", axum::routing::get(articles::show))
    }
}

fn main() {
    let _: Router = Router::new().route("/", get(api::articles::list));
}
