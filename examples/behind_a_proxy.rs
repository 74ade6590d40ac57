//! Limits by IP address behind a load balancer: `cargo run --example behind_a_proxy`.
//!
//! A proxy appends the address that it was called from to `X-Forwarded-For`. Who is limited by it
//! must not be able to choose it, so the header is believed only if it comes from a proxy that is
//! trusted, and only as far as trusted proxies wrote it. `TRUSTED_PROXIES` says which they are:
//! addresses and networks, with commas between them.
//!
//! If nginx connects through a Unix socket, there is no address to name: use `.trusted_socket()`, and
//! serve the app with `axum::serve(UnixListener::bind(path)?, app)`.

use std::{env, error::Error, net::SocketAddr, process::ExitCode};

use axum::{Router, routing::get};
use ratelimit::{RateLimiter, rate_limit};

#[rate_limit(limit = 3, per = "1m", key = ip)]
async fn search() -> &'static str {
    "found\n"
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    // A service in a network of its own would have something like 10.0.0.0/8 here.
    let proxies = env::var("TRUSTED_PROXIES").unwrap_or_else(|_| "127.0.0.1".to_owned());
    RateLimiter::builder()
        .trusted_proxies(proxies.split(',').map(str::trim))
        .build()?
        .install()?;

    let app = Router::new().route("/search", get(search));

    ratelimit_examples::announce(&listener, "in memory", TRY)?;
    axum::serve(
        listener,
        // So that the limiter knows whether it was a proxy that called.
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

const TRY: &str = r"
  # As the proxy at 127.0.0.1 would, for a client at 203.0.113.7: the fourth is a 429.
  for i in 1 2 3 4; do curl -i '{url}/search' -H 'X-Forwarded-For: 203.0.113.7'; done

  # It is no use to the client to have sent the header itself.
  curl -i '{url}/search' -H 'X-Forwarded-For: 198.51.100.1, 203.0.113.7'

  # Another client has a limit of its own.
  curl -i '{url}/search' -H 'X-Forwarded-For: 203.0.113.8'
";
