//! API keys and their tiers in Redis, where whatever sells them may write them:
//! `REDIS_URL=redis://127.0.0.1:6379 cargo run --example tiers_from_redis`.
//!
//! The tier of the key `k-alice` is the field `tier` of the hash `api_key:k-alice`; if the field is
//! empty, the key is on the default tier. Without the field the key is unknown, and a caller that
//! sends it is anonymous. Answers are cached: a new tier is in force within 30 seconds, and a new key
//! works within 5. A tier that is not declared here, such as `glod`, is the default one, and the log says
//! so.

use std::{env, error::Error, net::SocketAddr, process::ExitCode};

use axum::{Router, routing::get};
use ratelimit::{RateLimitStatus, RateLimiter, RedisStore, rate_limit};

#[rate_limit(tier_header = "X-API-Key", free = 5, pro = 50, enterprise = unlimited, per = "1m")]
async fn search(status: RateLimitStatus) -> String {
    format!("found on the tier {}\n", status.tier().name())
}

/// Where Redis is. Set to nothing is how some environments say "not set".
fn redis_url() -> Result<String, &'static str> {
    let url = env::var("REDIS_URL").ok().filter(|url| !url.is_empty());
    url.ok_or(
        "REDIS_URL is not set, and this example keeps its tiers in Redis: start one, and say where it is, as in\n\n    redis-server --save '' --daemonize yes\n    REDIS_URL=redis://127.0.0.1:6379 cargo run --example tiers_from_redis\n",
    )
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    let url = redis_url()?;
    let redis = RedisStore::connect(&url).await?;
    RateLimiter::builder()
        // It is asked for the tiers, too. Were the limits in memory, one would write
        // `.tier_resolver(redis.tiers())` instead.
        .store(redis)
        .build()?
        .install()?;

    let app = Router::new().route("/search", get(search));

    let what_to_try = TRY.replace("{redis-cli}", &ratelimit_examples::redis_cli(&url));
    ratelimit_examples::announce(&listener, "in the Redis at REDIS_URL", &what_to_try)?;
    axum::serve(
        listener,
        // So that the limiter knows the addresses of those who are anonymous.
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

const TRY: &str = r"
  {redis-cli} HSET api_key:k-alice tier pro
  curl -i '{url}/search' -H 'X-API-Key: k-alice'    # pro: 50 a minute
  curl -i '{url}/search'                            # anonymous: free, 5 a minute
  curl -i '{url}/search' -H 'X-API-Key: made-up'    # as anonymous as no key at all
";
