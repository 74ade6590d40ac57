//! One of the servers that are compared: `server <variant>` prints where it listens. Those whose
//! limits are in Redis are told where that is: `server <variant> <URL>`.

mod memory;
mod redis;

use std::{
    env,
    error::Error,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
};

use axum::Router;
use tokio::net::TcpListener;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let variant = arguments.next().unwrap_or_default();
    let redis = arguments.next().unwrap_or_default();
    // As `#[tokio::main]` makes it: with as many threads as there are cores for it.
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match variant.as_str() {
            "bare" => serve(memory::unlimited()).await,
            "three-headers" => serve(memory::three_headers()).await,
            "ratelimit" => serve(memory::ratelimit()?).await,
            "tower_governor" => serve(memory::tower_governor()?).await,
            "axum-governor" => serve(memory::axum_governor()?).await,
            "axum_gcra" => serve_old(memory::axum_gcra()).await,
            "ratelimit-redis" => serve(redis::ratelimit(&redis).await?).await,
            "axum-limit-redis" => serve(redis::axum_limit(&redis).await?).await,
            other => Err(format!("there is no server {other}").into()),
        }
    })
}

async fn serve(router: Router) -> Result<(), Box<dyn Error>> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listen().await?, service).await?)
}

/// For the layer that has not come to axum 0.8 yet.
async fn serve_old(router: axum_07::Router) -> Result<(), Box<dyn Error>> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum_07::serve(listen().await?, service).await?)
}

async fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(io::stdout(), "http://{}/", listener.local_addr()?)?;
    Ok(listener)
}
