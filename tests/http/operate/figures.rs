//! The figures of one process, and of all on one Redis.

use axum::{Extension, Router, routing::get};
use ratelimit::{ClientId, RateLimiter, rate_limit};
use ratelimit_tests::{App, RedisServer, eventually};

use super::super::{limiter_on, limiters};

#[rate_limit(limit = 3, per = "1h", name = "figured")]
async fn limited() {}

#[rate_limit(limit = 1, per = "1h", name = "figured in shadow", shadow)]
async fn tried_out() {}

async fn start(limiter: &RateLimiter) -> App {
    let router = Router::new()
        .route("/", get(limited))
        .route("/tried", get(tried_out))
        .layer(Extension(limiter.clone()));
    App::start(router).await
}

#[tokio::test]
async fn a_process_knows_its_figures_without_another_system() {
    for (limiter, _) in limiters("figures").await {
        let none = limiter.figures();
        assert_eq!((none.requests_per_minute, none.check), (0, None));
        let app = start(&limiter).await;
        for n in 0..10 {
            assert_eq!(app.status("/").await, if n < 3 { 200 } else { 429 });
            assert_eq!(app.status("/tried").await, 200);
        }
        let figures = limiter.figures();
        assert_eq!(figures.requests_per_minute, 20);
        assert_eq!(figures.limited_per_minute, 7);
        assert_eq!(figures.limited_clients, 1);
        let check = figures.check.expect("some were timed");
        assert!(check.p50 <= check.p99 && !check.p50.is_zero(), "{check:?}");
        let local = ClientId::ip([127, 0, 0, 1].into());
        assert_eq!(limiter.most_limited(5), [(local, 7)]);
        eventually("the second in which it was", async || {
            let seconds = limiter.history(None);
            let of = |name: &str| {
                let all = seconds.iter().flat_map(|second| &second.policies);
                let mine = all.filter(|(known, _)| *known == name);
                mine.map(|(_, new)| (new.allowed, new.limited, new.shadow))
                    .fold((0, 0, 0), |sum, new| {
                        (sum.0 + new.0, sum.1 + new.1, sum.2 + new.2)
                    })
            };
            of("figured") == (3, 7, 0) && of("figured in shadow") == (1, 0, 9)
        })
        .await;
    }
}

#[tokio::test]
async fn all_processes_on_one_redis_add_up() {
    let server = RedisServer::start();
    let limiters = [limiter_on(&server).await, limiter_on(&server).await];
    for limiter in &limiters {
        let app = start(limiter).await;
        for _ in 0..5 {
            app.status("/").await;
        }
    }
    // Three were admitted in all, whichever process they came to.
    eventually("the figures of both", async || {
        let figures = limiters[0].fleet_figures().await.expect("figures");
        let figures = figures.expect("of a store that is shared");
        figures.requests_per_minute == 10
            && figures.limited_per_minute == 7
            && figures.limited_clients == 1
            && figures.check.is_some_and(|check| check.p50 <= check.p99)
    })
    .await;
    let keys: Vec<String> = redis::AsyncCommands::keys(&mut server.connection().await, "*{fleet}*")
        .await
        .expect("keys");
    assert!(!keys.is_empty());
    for key in keys {
        let time: i64 = redis::AsyncCommands::pttl(&mut server.connection().await, &key)
            .await
            .expect("a time to live");
        assert!(time > 0, "{key} would be there for ever");
    }
    let alone = RateLimiter::default();
    assert!(
        alone
            .fleet_figures()
            .await
            .expect("no store to ask")
            .is_none()
    );
}
