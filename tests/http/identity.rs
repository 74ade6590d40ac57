//! Whose bucket it is, and on which tier.

use axum::{Extension, Router, routing::get};
use ratelimit::{ForwardedHeader, RateLimitStatus, RateLimiter, StaticTiers, rate_limit};
use ratelimit_tests::{App, RedisServer, header};
use redis::AsyncCommands;

use super::{KEYS, limiters};

#[rate_limit(
    tier_header = "X-API-Key",
    free = 60,
    pro = 600,
    tiers(gold = 1_200),
    internal = unlimited,
    name = "tiered"
)]
async fn tiered(status: RateLimitStatus) -> &'static str {
    status.tier().name()
}

#[rate_limit(limit = 2, key = ip, name = "by_ip")]
async fn by_ip() {}

#[rate_limit(limit = 2, key = global, name = "by_all")]
async fn by_all() {}

#[rate_limit(limit = 2, key = header("X-Tenant"), name = "by_tenant")]
async fn by_tenant() {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/tiered", get(tiered))
        .route("/by_ip", get(by_ip))
        .route("/by_all", get(by_all))
        .route("/by_tenant", get(by_tenant))
        .layer(Extension(limiter))
}

async fn tier_and_remaining(app: &App, key: &str) -> (String, String) {
    let request = app.get("/tiered").header("x-api-key", key);
    let response = request.send().await.expect("an answer");
    let left = header(&response, "x-ratelimit-remaining").unwrap_or("-");
    let left = left.to_owned();
    (response.text().await.expect("text"), left)
}

#[tokio::test]
async fn a_known_key_has_its_tier_and_its_own_bucket() {
    for (limiter, _) in limiters("tiers").await {
        let app = App::start(router(limiter)).await;
        let expect = |tier: &str, left: &str| (tier.to_owned(), left.to_owned());
        assert_eq!(
            tier_and_remaining(&app, "k-free").await,
            expect("free", "59")
        );
        assert_eq!(
            tier_and_remaining(&app, "k-free").await,
            expect("free", "58")
        );
        assert_eq!(
            tier_and_remaining(&app, "k-pro").await,
            expect("pro", "599")
        );
        assert_eq!(
            tier_and_remaining(&app, "k-gold").await,
            expect("gold", "1199")
        );
        assert_eq!(
            tier_and_remaining(&app, "k-internal").await,
            expect("internal", "-")
        );
        // Unknown keys and no key at all are the same anonymous client.
        assert_eq!(
            tier_and_remaining(&app, "nobody's").await,
            expect("free", "59")
        );
        assert_eq!(
            tier_and_remaining(&app, "nobody's too").await,
            expect("free", "58")
        );
        let without = app.get("/tiered").send().await.expect("an answer");
        assert_eq!(header(&without, "x-ratelimit-remaining"), Some("57"));
    }
}

#[tokio::test]
async fn a_thousand_random_keys_get_what_one_client_gets() {
    for (limiter, _) in limiters("random_keys").await {
        let app = App::start(router(limiter)).await;
        let mut admitted = 0;
        for n in 0_u64..1_000 {
            let key = format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let request = app.get("/tiered").header("x-api-key", key);
            let response = request.send().await.expect("an answer");
            admitted += u32::from(response.status() == 200);
        }
        assert_eq!(admitted, 60);
    }
}

#[tokio::test]
async fn header_values_from_an_attacker_are_anonymous() {
    for (limiter, _) in limiters("attacker").await {
        let app = App::start(router(limiter)).await;
        let long = vec![b'k'; 8_192];
        let values: [&[u8]; 6] = [b"", b"  ", b"\xff\xfe\x80", b"a\tb", &long, b"{x}*?[]:\\"];
        for value in values {
            let request = app.get("/tiered").header("x-api-key", value);
            let response = request
                .header("x-tenant", value)
                .send()
                .await
                .expect("an answer");
            assert_eq!(response.status(), 200, "{value:?}");
            assert_eq!(response.text().await.expect("text"), "free");
            let request = app.get("/by_tenant").header("x-tenant", value);
            assert_eq!(request.send().await.expect("an answer").status(), 200);
        }
        let response = app.get("/tiered").send().await.expect("an answer");
        assert_eq!(header(&response, "x-ratelimit-remaining"), Some("53"));
    }
}

#[tokio::test]
async fn what_shares_a_bucket_is_the_key() {
    for (limiter, _) in limiters("keys").await {
        let app = App::start(router(limiter)).await;
        for path in ["/by_ip", "/by_all", "/by_tenant"] {
            assert_eq!(app.status(path).await, 200);
            assert_eq!(app.status(path).await, 200);
            assert_eq!(app.status(path).await, 429, "{path}");
        }
        for tenant in ["a", "b"] {
            for status in [200, 200, 429] {
                let request = app.get("/by_tenant").header("x-tenant", tenant);
                assert_eq!(request.send().await.expect("an answer").status(), status);
            }
        }
    }
}

#[tokio::test]
async fn who_is_not_a_trusted_proxy_speaks_for_nobody() {
    for (limiter, _) in limiters("spoofed").await {
        let app = App::start(router(limiter)).await;
        for (n, status) in [(1, 200), (2, 200), (3, 429), (4, 429)] {
            let request = app
                .get("/by_ip")
                .header("x-forwarded-for", format!("203.0.113.{n}"))
                .header("forwarded", format!("for=203.0.113.{n}"))
                .header("x-real-ip", format!("203.0.113.{n}"));
            assert_eq!(request.send().await.expect("an answer").status(), status);
        }
    }
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_its_clients() {
    let cases = [
        (ForwardedHeader::XForwardedFor, "x-forwarded-for", ""),
        (ForwardedHeader::Forwarded, "forwarded", "for="),
    ];
    for (setting, name, before) in cases {
        let limiter = RateLimiter::builder()
            .trusted_proxies(["127.0.0.1"])
            .forwarded_header(setting)
            .build()
            .expect("nothing is wrong with it");
        let app = App::start(router(limiter)).await;
        let status = async |value: String| {
            let request = app.get("/by_ip").header(name, value);
            request.send().await.expect("an answer").status().as_u16()
        };
        for client in ["203.0.113.1", "203.0.113.2"] {
            for (n, expected) in [(1, 200), (2, 200), (3, 429)] {
                // What the client itself puts before it changes nothing.
                let value = format!("{before}198.51.100.{n}, {before}{client}");
                assert_eq!(status(value).await, expected, "{name} {client} {n}");
            }
        }
    }
}

#[tokio::test]
async fn without_addresses_everybody_shares_a_bucket() {
    for (limiter, _) in limiters("no_peer").await {
        let app = App::start_without_connect_info(router(limiter)).await;
        assert_eq!(app.status("/by_ip").await, 200);
        assert_eq!(app.status("/by_ip").await, 200);
        assert_eq!(app.status("/by_ip").await, 429);
    }
}

#[tokio::test]
async fn tiers_come_from_redis_unless_told_otherwise() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    let _: () = connection
        .hset("api_key:k-1", "tier", "pro")
        .await
        .expect("set");
    let _: () = connection
        .hset("api_key:k-2", "tier", "")
        .await
        .expect("set");
    let _: () = connection
        .hset("api_key:k-3", "tier", "platinum")
        .await
        .expect("set");
    let _: () = connection
        .set("api_key:k-4", "not a hash")
        .await
        .expect("set");
    let limiter = RateLimiter::builder().store(server.store().await).build();
    let app = App::start(router(limiter.expect("nothing is wrong with it"))).await;
    let expect = |tier: &str, left: &str| (tier.to_owned(), left.to_owned());
    assert_eq!(tier_and_remaining(&app, "k-1").await, expect("pro", "599"));
    assert_eq!(
        tier_and_remaining(&app, "k-2").await,
        expect("free", "59"),
        "with an empty tier it is on the default one, in its own bucket"
    );
    assert_eq!(
        tier_and_remaining(&app, "k-3").await,
        expect("free", "59"),
        "the policy does not declare its tier"
    );
    assert_eq!(
        tier_and_remaining(&app, "nobody's").await,
        expect("free", "59")
    );
    assert_eq!(tier_and_remaining(&app, "k-4").await, expect("free", "58"));

    let told_otherwise = RateLimiter::builder()
        .store(server.store().await)
        .tiers(StaticTiers::new(KEYS))
        .build();
    let app = App::start(router(told_otherwise.expect("nothing is wrong with it"))).await;
    assert_eq!(tier_and_remaining(&app, "k-1").await.0, "free");
    assert_eq!(tier_and_remaining(&app, "k-pro").await.0, "pro");
}

#[tokio::test]
async fn the_tier_of_a_key_is_asked_for_once_and_no_key_is_named_in_redis() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    let _: () = connection
        .hset("api_key:s3cret", "tier", "pro")
        .await
        .expect("set");
    let limiter = RateLimiter::builder().store(server.store().await).build();
    let app = App::start(router(limiter.expect("nothing is wrong with it"))).await;
    for _ in 0..50 {
        assert_eq!(tier_and_remaining(&app, "s3cret").await.0, "pro");
    }
    let stats: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(&mut connection)
        .await
        .expect("statistics");
    assert!(stats.contains("cmdstat_hget:calls=1,"), "{stats}");
    let keys: Vec<String> = connection.keys("ratelimit:*").await.expect("names");
    assert_eq!(keys.len(), 1);
    assert!(!keys[0].contains("s3cret"), "{keys:?}");
}
