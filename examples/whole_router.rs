//! One limit for a whole router, and a stricter one for a handler in it:
//! `cargo run --example whole_router`.
//!
//! A request for the handler must keep both, and its headers are those of the tighter one. The
//! layer goes first: what it rejects never reaches the handler, and it gives back what the handler's
//! limit rejects.

use std::{error::Error, net::SocketAddr, process::ExitCode};

use axum::{
    Router,
    routing::{get, post},
};
use ratelimit::{RateLimitLayer, RateLimiter, policy, rate_limit};

policy! {
    /// What each client may ask for, whatever it is.
    Everything: limit = 10, per = "1m", name = "everything"
}

async fn articles() -> &'static str {
    "articles\n"
}

#[rate_limit(limit = 3, per = "1m", name = "comments")]
async fn comment() -> &'static str {
    "said\n"
}

async fn health() -> &'static str {
    "ok\n"
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    RateLimiter::builder().build()?.install()?;

    let app = Router::new()
        .route("/articles", get(articles))
        .route("/comments", post(comment))
        .route("/health", get(health))
        // After the routes, since it is for those that are there already. Health checks are not
        // limited. A `CorsLayer` would come after this one, so that its headers are on a 429 as well.
        .layer(RateLimitLayer::<Everything>::new().exempt_paths(["/health"]));

    ratelimit_examples::announce(&listener, "in memory", TRY)?;
    axum::serve(
        listener,
        // So that the limiter knows its clients' addresses.
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

const TRY: &str = r"
  curl -i '{url}/articles'                                              # 10 a minute
  for i in 1 2 3 4; do curl -i -X POST '{url}/comments'; done           # 3 of them may be comments
  for i in 1 2 3 4 5 6 7; do curl -i '{url}/articles'; done             # the seventh is a 429: a rejected comment is none of the 10
  curl -i '{url}/health'                                                # not limited
";
