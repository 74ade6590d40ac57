//! Three limited routes and one that is not: `cargo run --example quickstart`.
//!
//! Nothing needs to be installed: limits are kept in memory. With `REDIS_URL` set they are kept in
//! that Redis, and several of these programs (with different `PORT`s) share them.

use std::{error::Error, net::SocketAddr, process::ExitCode};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ratelimit::{RateLimitStatus, RateLimiter, StaticTiers, rate_limit};
use serde::{Deserialize, Serialize};

/// In a real service keys are in a database, or in Redis: see the README.
const DEMO_KEYS: [(&str, &str); 3] = [
    ("demo-free", "free"),
    ("demo-pro", "pro"),
    ("demo-internal", "internal"),
];

#[derive(Clone)]
struct Db(&'static [&'static str]);

#[derive(Deserialize)]
struct Search {
    #[serde(default, rename = "q")]
    text: String,
}

#[derive(Serialize)]
struct Hits {
    hits: Vec<&'static str>,
}

enum AppError {
    NothingToSearchFor,
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        match self {
            Self::NothingToSearchFor => (StatusCode::BAD_REQUEST, "search for what? add ?q=word\n"),
        }
        .into_response()
    }
}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, internal = unlimited, algo = "token_bucket", burst = 20)]
async fn search(State(db): State<Db>, Query(q): Query<Search>) -> Result<Json<Hits>, AppError> {
    if q.text.is_empty() {
        return Err(AppError::NothingToSearchFor);
    }
    let hits = db.0.iter().filter(|title| title.contains(&q.text));
    Ok(Json(Hits {
        hits: hits.copied().collect(),
    }))
}

#[rate_limit(
    tier_header = "X-API-Key",
    free = 5,
    pro = 50,
    per = "10s",
    algo = "sliding_window"
)]
async fn reports(status: RateLimitStatus) -> String {
    format!("the report for the tier {}\n", status.tier().name())
}

#[derive(Deserialize)]
struct Login {
    user: String,
}

#[rate_limit(limit = 5, per = "1m", key = ip, algo = "fixed_window")]
async fn login(Json(login): Json<Login>) -> (StatusCode, String) {
    let answer = format!("{}, that was not your password\n", login.user);
    (StatusCode::UNAUTHORIZED, answer)
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
    RateLimiter::builder()
        .tiers(StaticTiers::new(DEMO_KEYS))
        .store_from_env()
        .await?
        .build()?
        .install()?;

    let app = Router::new()
        .route("/search", get(search))
        .route("/reports", get(reports))
        .route("/login", post(login))
        .route("/health", get(health))
        .with_state(Db(&[
            "the art of limits",
            "a bucket of tokens",
            "sliding windows",
        ]));

    let kept = ratelimit_examples::kept_by_env();
    ratelimit_examples::announce(&listener, kept, TRY)?;
    axum::serve(
        listener,
        // So that the limiter knows its clients' addresses.
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

const TRY: &str = r#"
  curl -i '{url}/search?q=o'                            # free: 60 a minute, 20 at once
  curl -i '{url}/search?q=o' -H 'X-API-Key: demo-pro'   # pro: 600 a minute, 20 at once
  curl -i '{url}/search?q=o' -H 'X-API-Key: demo-internal'   # no limit, so no limit headers
  for i in 1 2 3 4 5 6; do curl -i '{url}/reports'; done     # the sixth within 10 s is a 429
  for i in 1 2 3 4 5 6; do curl -i '{url}/login' --json '{"user":"ann"}'; done   # so is the sixth within a minute
  curl -i '{url}/health'                                # not limited
"#;
