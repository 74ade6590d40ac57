//! A 429 in the app's own words, and both kinds of headers: `cargo run --example custom_response`.
//!
//! An API whose errors all look alike wants this one to look like them. Its body is the app's, the
//! headers are added to it.

use std::{error::Error, net::SocketAddr, process::ExitCode};

use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use ratelimit::{HeaderStyle, RateLimitExceeded, RateLimiter, rate_limit};
use serde_json::json;

/// All errors of this API: `{"error": {"code": "…", "message": "…"}}`.
struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = json!({"error": {"code": self.code, "message": self.message}});
        (self.status, Json(error)).into_response()
    }
}

fn too_many_requests(exceeded: &RateLimitExceeded) -> ApiError {
    ApiError {
        status: StatusCode::TOO_MANY_REQUESTS,
        code: "too_many_requests",
        // Its own sentence says how many are allowed, and when to come back.
        message: exceeded.to_string(),
    }
}

// The headers of the IETF draft tell clients the policy's name, so it has one that they understand.
#[rate_limit(limit = 3, per = "1m", name = "books", on_limited = too_many_requests)]
async fn book(Path(id): Path<u32>) -> Result<&'static str, ApiError> {
    match id {
        1 => Ok("the art of limits\n"),
        _ => Err(ApiError {
            status: StatusCode::NOT_FOUND,
            code: "no_such_book",
            message: format!("There is no book with the number {id}."),
        }),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    RateLimiter::builder()
        .headers(HeaderStyle::Both)
        .build()?
        .install()?;

    let app = Router::new().route("/books/{id}", get(book));

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
  curl -i '{url}/books/1'                                   # X-RateLimit-* and RateLimit
  curl -i '{url}/books/2'                                   # an error of the app's
  for i in 1 2; do curl -i '{url}/books/1'; done            # the second is a 429, and looks like it
";
