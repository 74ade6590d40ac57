//! One of the servers that are compared: `server <variant>` prints where it listens.

use std::{
    env,
    error::Error,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{Router, routing::get};
use ratelimit::{RateLimiter, StaticTiers, rate_limit};
use tokio::net::TcpListener;
use tower_governor::{GovernorLayer, governor::GovernorConfigBuilder};

async fn bare() -> &'static str {
    "Hello, world!"
}

#[rate_limit(
    tier_header = "X-API-Key",
    free = 1_000_000_000,
    pro = 2_000_000_000,
    per = "1h",
    algo = "token_bucket"
)]
async fn limited() -> &'static str {
    "Hello, world!"
}

fn router(variant: &str) -> Result<Router, Box<dyn Error>> {
    Ok(match variant {
        "bare" => Router::new().route("/", get(bare)),
        "ratelimit" => {
            RateLimiter::builder()
                .tiers(StaticTiers::new([("k-alice", "pro")]))
                .build()?
                .install()?;
            Router::new().route("/", get(limited))
        }
        "tower_governor" => {
            let config = GovernorConfigBuilder::default()
                .per_nanosecond(1)
                .burst_size(1_000_000_000)
                .use_headers()
                .finish()
                .ok_or("tower_governor does not take these settings")?;
            Router::new()
                .route("/", get(bare))
                .layer(GovernorLayer::new(Arc::new(config)))
        }
        other => return Err(format!("there is no server {other}").into()),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let router = router(&env::args().nth(1).unwrap_or_default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(io::stdout(), "http://{}/", listener.local_addr()?)?;
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await?;
        Ok(())
    })
}
