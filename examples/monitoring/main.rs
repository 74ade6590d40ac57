//! What somebody on call needs around the limiter: `cargo run --example monitoring`.
//!
//! Metrics for Prometheus at `/metrics`, the live page at `/limits`, and requests that the program
//! sends itself, so that both have something to show (`LOAD=off` leaves them out). The README beside
//! this file tells of the alerts and of the Grafana dashboard that go with it.
//!
//! Limits are kept in memory, or with `REDIS_URL` set in that Redis.

mod load;
mod prometheus;

use std::{env, error::Error, net::SocketAddr, process::ExitCode};

use axum::{Router, routing::get};
use ratelimit::{ApiKey, KnownKey, RateLimiter, ResolveError, TierResolver, rate_limit};

/// Stands for the application's database. It is asked about each key and its answers are remembered,
/// so that there are look-ups to count.
struct Accounts;

impl TierResolver for Accounts {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        Ok(match key.as_bytes() {
            b"demo-free" => Some(KnownKey::on_tier("free")),
            b"demo-pro" => Some(KnownKey::on_tier("pro")),
            b"demo-internal" => Some(KnownKey::on_tier("internal")),
            _ => None,
        })
    }
}

#[rate_limit(
    name = "search",
    tier_header = "X-API-Key",
    free = 60,
    pro = 600,
    internal = unlimited,
    algo = "token_bucket",
    burst = 20
)]
async fn search() -> &'static str {
    "found\n"
}

#[rate_limit(
    name = "reports",
    limit = 5,
    per = "10s",
    key = ip,
    algo = "sliding_window"
)]
async fn reports() -> &'static str {
    "the report\n"
}

// A limit that is being tried out: the figures say whom it would turn away.
#[rate_limit(name = "suggestions", limit = 20, per = "1m", key = ip, shadow)]
async fn suggestions() -> &'static str {
    "did you mean this?\n"
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
    let has_load = load::is_on()?;
    let metrics = prometheus::install()?;
    let limiter = RateLimiter::builder()
        .tier_resolver(Accounts)
        // The load comes from this machine and on behalf of many clients, as a proxy's does.
        .trusted_proxies(["127.0.0.1"])
        .store_from_env()
        .await?
        .build()?;
    let (token, shown, place) = token()?;
    let page = ratelimit::dashboard(limiter.clone()).token(token)?;
    // The last thing that may fail: it logs that the limits are in force.
    limiter.install()?;

    let app = Router::new()
        .route("/search", get(search))
        .route("/reports", get(reports))
        .route("/suggestions", get(suggestions))
        .route("/health", get(health))
        // Neither is for the public. In production, serve them where only your own people and
        // Prometheus get to: at a port of their own, or behind a proxy that lets nobody else through.
        .nest_service("/limits", page.into_router())
        .merge(metrics);

    let kept = ratelimit_examples::kept_by_env();
    let what_to_try = TRY.replace("{its place}", place).replace("{token}", &shown);
    ratelimit_examples::announce(&listener, kept, &what_to_try)?;
    // Its tasks end when this is dropped.
    let _load = if has_load {
        Some(load::start(listener.local_addr()?)?)
    } else {
        None
    };
    axum::serve(
        listener,
        // So that the limiter knows whether it was a proxy that called.
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

/// The token that opens the page, how to write it in a shell, and where that finds it. One from the
/// environment is a secret that is not to be printed.
fn token() -> Result<(String, String, &'static str), getrandom::Error> {
    if let Ok(token) = env::var("DASHBOARD_TOKEN")
        && !token.is_empty()
    {
        let place = ", which must be set in the other terminal, too";
        return Ok((token, "$DASHBOARD_TOKEN".to_owned(), place));
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let token = format!("{:032x}", u128::from_ne_bytes(random));
    Ok((token.clone(), token, ""))
}

const TRY: &str = r#"
  # The live page, in a browser: {url}/limits
  # It asks for the token {token}{its place}

  curl '{url}/metrics'
  curl '{url}/limits/api/state' -H "Authorization: Bearer {token}"
  for i in 1 2 3 4 5 6; do curl -i '{url}/reports'; done   # the sixth within 10 s is a 429
  curl -i '{url}/health'                                  # not limited
"#;
