#![deny(warnings, missing_docs, unreachable_pub)]

//! An argument taken apart, and ignored parts.

use axum::{Router, extract::State, routing::get};
use ratelimit::rate_limit;

#[derive(Clone)]
struct App {
    name: String,
    size: (u32, u32),
}

#[rate_limit(limit = 5)]
async fn handler(
    State(App {
        mut name,
        size: (width, _),
    }): State<App>,
) -> String {
    name.push('!');
    name.repeat(width as usize)
}

fn main() {
    let _: Router = Router::new().route("/", get(handler)).with_state(App {
        name: String::new(),
        size: (1, 2),
    });
}
