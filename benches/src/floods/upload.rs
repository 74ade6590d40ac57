//! A flood of uploads over the limit, over real connections.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Extension, Router, body::Bytes, extract::DefaultBodyLimit, routing::post};
use ratelimit::{RateLimiter, rate_limit};
use ratelimit_tests::RedisServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    IN_FLIGHT,
    cost::{Cost, Meter},
    log::Volume,
};

pub(super) const NAME: &str = "uploads of 20 MB that are rejected";

const SIZE: usize = 20_000_000;

#[rate_limit(limit = 1, per = "1h")]
async fn upload(body: Bytes) -> String {
    body.len().to_string()
}

pub(super) async fn flood(log: &Volume, time: Duration) -> Result<Cost, Box<dyn Error>> {
    let server = RedisServer::start();
    let limiter = RateLimiter::builder().store(server.store().await).build()?;
    let app = Router::new()
        .route("/", post(upload))
        .layer(DefaultBodyLimit::disable())
        .layer(Extension(limiter));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let app = tokio::spawn(async { axum::serve(listener, service).await });
    send(address, 1).await?;

    let meter = Meter::start(&server, log).await?;
    let end = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        tasks.spawn(async move {
            let mut sent = 0;
            while Instant::now() < end {
                // What a client sees is tested elsewhere: here the connection may be reset.
                let _ = send(address, SIZE).await;
                sent += 1;
            }
            sent
        });
    }
    let mut requests = 0;
    while let Some(sent) = tasks.join_next().await {
        requests += sent?;
    }
    let cost = meter.stop(&server, requests).await;
    app.abort();
    cost
}

/// Sends an upload whole, and then reads the answer.
async fn send(address: SocketAddr, size: usize) -> io::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {size}\r\n\r\n");
    connection.write_all(head.as_bytes()).await?;
    let piece = vec![b'x'; size.min(64 * 1024)];
    let mut left = size;
    while left > 0 {
        let length = left.min(piece.len());
        connection.write_all(&piece[..length]).await?;
        left -= length;
    }
    let mut answer = [0; 4096];
    connection.read(&mut answer).await.map(drop)
}
