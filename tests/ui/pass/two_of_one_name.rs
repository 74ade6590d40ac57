#![deny(warnings, missing_docs, unreachable_pub)]

//! Handlers of one name in two modules.

use axum::{Router, routing::get};

mod articles {
    #[ratelimit::rate_limit(limit = 5)]
    pub(crate) async fn list() {}
}

mod users {
    #[ratelimit::rate_limit(limit = 5)]
    pub(crate) async fn list() {}
}

fn main() {
    let _: Router = Router::new()
        .route("/articles", get(articles::list))
        .route("/users", get(users::list));
}
