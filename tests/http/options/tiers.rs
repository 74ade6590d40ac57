//! The long form of tiers, and constants instead of literals.

use std::time::Duration;

use axum::{Extension, Router, routing::get};
use ratelimit::rate_limit;
use ratelimit_tests::{App, header};

use crate::limiters;

const FREE: u32 = 2;
const HOUR: Duration = Duration::from_secs(3_600);

mod limits {
    pub(super) const BURST: u32 = 4;
}

#[rate_limit(
    tier_header = "X-API-Key",
    free(limit = FREE, per = HOUR),
    pro(limit = 10, per = "1s", burst = limits::BURST),
    tiers(gold(limit = FREE * 3)),
    per = "10s",
    algo = "token_bucket"
)]
async fn long_form() {}

#[rate_limit(
    tier_header = "X-API-Key",
    tiers("k one" = 1, gold = 5),
    default_tier = "k one"
)]
async fn named_default() {}

#[tokio::test]
async fn each_tier_has_its_own_window_and_burst() {
    for (limiter, clock) in limiters("long_form").await {
        let router = Router::new()
            .route("/", get(long_form))
            .route("/named", get(named_default))
            .layer(Extension(limiter));
        let app = App::start(router).await;
        let send = async |path: &str, key: &str| {
            let response = app.get(path).header("x-api-key", key).send().await;
            let response = response.expect("an answer");
            let figures = [
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
            ]
            .map(|name| header(&response, name).unwrap_or("-").parse::<u32>().ok());
            (response.status().as_u16(), figures)
        };
        assert_eq!(
            send("/", "k-free").await,
            (200, [Some(2), Some(1), Some(1_800)])
        );
        assert_eq!(
            send("/", "k-pro").await,
            (200, [Some(10), Some(3), Some(1)])
        );
        assert_eq!(
            send("/", "k-gold").await,
            (200, [Some(6), Some(5), Some(2)])
        );
        for _ in 0..3 {
            assert_eq!(send("/", "k-pro").await.0, 200);
        }
        assert_eq!(send("/", "k-pro").await.0, 429, "the burst is used up");
        clock.advance(Duration::from_millis(100));
        assert_eq!(
            send("/", "k-pro").await.0,
            200,
            "a tenth of a second earns one"
        );

        assert_eq!(
            send("/named", "k-gold").await,
            (200, [Some(5), Some(4), Some(60)])
        );
        assert_eq!(
            send("/named", "nobody's").await,
            (200, [Some(1), Some(0), Some(60)])
        );
        assert_eq!(
            send("/named", "k-pro").await,
            (200, [Some(1), Some(0), Some(60)])
        );
    }
}
