//! Two handlers with policies of one name: prints what the builder says to that.

use std::{
    error::Error,
    io::{self, Write},
};

use ratelimit::{RateLimiter, rate_limit};

#[rate_limit(limit = 60, name = "search")]
async fn search_articles() {}

#[rate_limit(limit = 10, name = "search")]
async fn search_users() {}

fn main() -> Result<(), Box<dyn Error>> {
    // Both are routed, as in a program that would go on to serve them.
    let routes = axum::Router::<()>::new()
        .route("/articles", axum::routing::get(search_articles))
        .route("/users", axum::routing::get(search_users));
    let said = match RateLimiter::builder().build() {
        Ok(limiter) => format!("{limiter:?} {routes:?}"),
        Err(error) => error.to_string(),
    };
    writeln!(io::stdout(), "{said}")?;
    Ok(())
}
