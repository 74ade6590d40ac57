//! Several limits on one handler: `cargo run --example multiple_limits`.
//!
//! A request must keep all of them, and they are asked at once: one that any of them turns away
//! takes nothing from the others. The headers are those of the tightest, and a 429 names those that
//! the request is over.

use std::{error::Error, net::SocketAddr, process::ExitCode};

use axum::{Router, extract::Path, routing::post};
use ratelimit::{RateLimiter, rate_limit};

// Each has a window and a key of its own, and a name by which clients and logs can tell them apart:
// three builds of a project within a minute, and five builds of all projects within an hour.
#[rate_limit(limit = 3, per = "1m", key = (ip, path("project")), name = "builds-of-a-project")]
#[rate_limit(limit = 5, per = "1h", key = ip, name = "builds")]
async fn build(Path(project): Path<String>) -> String {
    format!("{project} is being built\n")
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    RateLimiter::builder().build()?.install()?;

    let app = Router::new().route("/projects/{project}/builds", post(build));

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
  # Three a minute of one project: the fourth is a 429, and takes nothing from the five.
  for i in 1 2 3 4; do curl -i -X POST '{url}/projects/website/builds'; done

  # Two are left of the five, so the third of another project is a 429.
  for i in 1 2 3; do curl -i -X POST '{url}/projects/app/builds'; done

  # Over both limits, and violated-policies has both names.
  curl -i -X POST '{url}/projects/website/builds'
";
