#![deny(warnings, missing_docs, unreachable_pub)]

//! A part of the state by `FromRef`.

use axum::{
    Router,
    extract::{FromRef, State},
    routing::get,
};
use ratelimit::rate_limit;

#[derive(Clone)]
struct App {
    greeting: String,
}

impl FromRef<App> for String {
    fn from_ref(app: &App) -> Self {
        app.greeting.clone()
    }
}

#[rate_limit(limit = 5)]
async fn handler(State(greeting): State<String>) -> String {
    greeting
}

fn main() {
    let _: Router = Router::new().route("/", get(handler)).with_state(App {
        greeting: String::new(),
    });
}
