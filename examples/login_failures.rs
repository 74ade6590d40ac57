//! A limit that only failures count for: `cargo run --example login_failures`.
//!
//! Every login is charged when it comes in, so that a thousand guesses at once are not a thousand
//! guesses. Whose answer is not "wrong password" gets the cost back, and the headers say so.

use std::{error::Error, net::SocketAddr, process::ExitCode};

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use ratelimit::{RateLimiter, rate_limit};
use serde::Deserialize;

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
}

/// Whether this was no guess: a login that worked, or a request that could not be read.
fn is_no_guess(response: &Response) -> bool {
    response.status() != StatusCode::UNAUTHORIZED
}

// The fixed window is the one that people understand: five attempts, then wait until it is over.
#[rate_limit(
    limit = 5,
    per = "15m",
    key = ip,
    algo = "fixed_window",
    refund_if = is_no_guess
)]
async fn login(Json(login): Json<Login>) -> Response {
    // A real service has a hash of the password, and a function that takes its time.
    if login.password == "swordfish" {
        format!("welcome, {}\n", login.user).into_response()
    } else {
        (StatusCode::UNAUTHORIZED, "that was not your password\n").into_response()
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    RateLimiter::builder().build()?.install()?;

    let app = Router::new().route("/login", post(login));

    ratelimit_examples::announce(&listener, "in memory", TRY)?;
    axum::serve(
        listener,
        // So that the limiter knows its clients' addresses.
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

const TRY: &str = r#"
  # As often as you like: there are always 5 left.
  curl -i '{url}/login' --json '{"user":"ann","password":"swordfish"}'

  # The sixth is a 429.
  for i in 1 2 3 4 5 6; do curl -i '{url}/login' --json '{"user":"ann","password":"guess"}'; done
"#;
