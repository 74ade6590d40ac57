//! Redis goes away and comes back.

use std::time::{Duration, Instant};

use axum::{Extension, Router, routing::get};
use ratelimit::{RateLimiter, RedisStore, rate_limit};
use ratelimit_tests::{App, RedisServer};

#[rate_limit(limit = 5, per = "1h", name = "through_an_outage")]
async fn limited() {}

#[tokio::test]
async fn limits_hold_while_redis_is_gone_and_after() {
    let server = RedisServer::start();
    let port = server.port();
    let store = RedisStore::connect(&server.url())
        .await
        .expect("a redis-server");
    let limiter = RateLimiter::builder().store(store).build();
    let limiter = limiter.expect("nothing is wrong with it");
    let app = App::start(
        Router::new()
            .route("/", get(limited))
            .layer(Extension(limiter)),
    )
    .await;
    assert_eq!(app.status("/").await, 200);

    drop(server);
    let mut admitted = 0;
    for _ in 0..50 {
        let begin = Instant::now();
        let status = app.status("/").await;
        assert!(begin.elapsed() < Duration::from_secs(1), "a request hung");
        assert!(status == 200 || status == 429, "{status}");
        admitted += u32::from(status == 200);
    }
    assert_eq!(admitted, 5, "the same limit, kept in this process");

    // The new server knows nothing of the client, so it is admitted as soon as it is asked again.
    let _server = RedisServer::start_on(port).expect("the port is free again");
    let begin = Instant::now();
    while app.status("/").await != 200 {
        assert!(
            begin.elapsed() < Duration::from_secs(10),
            "never asked again"
        );
    }
}
