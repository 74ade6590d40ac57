//! Leases: a limit that all programs on one Redis share, and that few requests ask Redis about.
//! `REDIS_URL=redis://127.0.0.1:6379 cargo run --example leases`.
//!
//! Where much comes, this program takes requests out of everybody's bucket several at a time and
//! admits them by itself. What it has taken and not spent it gives back when it ends. Without
//! `REDIS_URL` the limit is kept in memory, where nobody needs to be asked.

use std::{env, error::Error, process::ExitCode};

use axum::{Router, routing::get};
use ratelimit::{RateLimiter, rate_limit};

#[rate_limit(
    limit = 100_000,
    per = "1h",
    key = global,
    algo = "fixed_window",
    lease
)]
async fn price() -> &'static str {
    "42\n"
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    let limiter = RateLimiter::from_env().await?;
    limiter.clone().install()?;
    let app = Router::new().route("/price", get(price));

    let kept = ratelimit_examples::kept_by_env();
    let what_to_try = match env::var("REDIS_URL") {
        Ok(url) if !url.is_empty() => {
            format!(
                "{}{TRY}",
                MONITOR.replace("{redis-cli}", &ratelimit_examples::redis_cli(&url))
            )
        }
        _ => TRY.to_owned(),
    };
    ratelimit_examples::announce(&listener, kept, &what_to_try)?;
    axum::serve(listener, app)
        .with_graceful_shutdown(asked_to_end())
        .await?;

    // After the last request: others need not wait for what this program will not spend.
    limiter.give_back_leases().await;
    Ok(())
}

/// Control-C. What stops a service may send another signal, for which to wait as well.
async fn asked_to_end() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!("not to be ended by Control-C: {error}");
        std::future::pending::<()>().await;
    }
}

const MONITOR: &str = "
  {redis-cli} monitor | grep -i evalsha    # in a terminal of its own";

const TRY: &str = r"
  for n in $(seq 1000); do curl -s '{url}/price' >/dev/null; done
  curl -i '{url}/price'
";
