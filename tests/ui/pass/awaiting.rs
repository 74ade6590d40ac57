#![deny(warnings, missing_docs, unreachable_pub)]

//! A body that awaits and borrows across it.

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 5)]
async fn handler(text: String) -> answer::Length {
    let borrowed = &text;
    std::future::ready(()).await;
    answer::Length(borrowed.len())
}

mod answer {
    use axum::response::{IntoResponse, Response};

    pub(crate) struct Length(pub(crate) usize);

    impl IntoResponse for Length {
        fn into_response(self) -> Response {
            self.0.to_string().into_response()
        }
    }
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
