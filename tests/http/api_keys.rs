//! How a request carries its API key, and headers that come several times.

use std::net::IpAddr;

use axum::{Extension, Router, routing::get};
use ratelimit::{Builder, ClientId, RateLimiter, StaticTiers, rate_limit};
use ratelimit_tests::{App, header};

use super::{KEYS, limiters, limiters_with, notices::Log};

#[rate_limit(tier_header = "Authorization", free = 60, pro = 600, name = "bearer")]
async fn by_bearer() {}

#[rate_limit(
    tier_header = "Proxy-Authorization",
    free = 60,
    pro = 600,
    name = "proxy bearer"
)]
async fn by_proxy_bearer() {}

#[rate_limit(tier_header = "X-API-Key", free = 60, pro = 600, name = "plain key")]
async fn by_plain_key() {}

#[rate_limit(limit = 60, key = header("X-Tenant"), name = "by tenant")]
async fn by_tenant() {}

#[rate_limit(limit = 60, key = (header("X-Tenant"), global), name = "by tenant and more")]
async fn by_tenant_and_more() {}

async fn start(limiter: &RateLimiter) -> App {
    let router = Router::new()
        .route("/bearer", get(by_bearer))
        .route("/proxy", get(by_proxy_bearer))
        .route("/plain", get(by_plain_key))
        .route("/tenant", get(by_tenant))
        .route("/tenant-and-more", get(by_tenant_and_more));
    App::start(router.layer(Extension(limiter.clone()))).await
}

/// The limit and what is left of it, of a request with these lines of a header.
async fn limit_and_remaining(app: &App, path: &str, name: &str, lines: &[&str]) -> (u32, u32) {
    let request = lines
        .iter()
        .fold(app.get(path), |request, line| request.header(name, *line));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let number = |name| header(&answer, name).and_then(|text| text.parse().ok());
    (
        number("x-ratelimit-limit").expect("a limit"),
        number("x-ratelimit-remaining").expect("what is left"),
    )
}

fn address() -> ClientId {
    ClientId::ip(IpAddr::from([127, 0, 0, 1]))
}

async fn remaining(limiter: &RateLimiter, policy: &str, client: ClientId) -> Option<u32> {
    let found = limiter.buckets_of(client).await.expect("a store");
    let mut found = found.iter();
    let bucket = found.find(|standing| standing.bucket.policy().name() == policy);
    bucket.map(|standing| standing.remaining)
}

#[tokio::test]
async fn a_bearer_token_is_an_api_key_and_other_credentials_are_anonymous() {
    for (limiter, _clock) in limiters("bearer").await {
        let app = start(&limiter).await;
        for (path, name, policy) in [
            ("/bearer", "authorization", "bearer"),
            ("/proxy", "proxy-authorization", "proxy bearer"),
        ] {
            let send = async |value: &str| limit_and_remaining(&app, path, name, &[value]).await;
            for (n, value) in (1..).zip([
                "Bearer k-pro",
                "bearer k-pro",
                "BEARER    k-pro",
                "  Bearer k-pro  ",
                "k-pro",
            ]) {
                assert_eq!(send(value).await, (600, 600 - n), "{value}");
            }
            let key = ClientId::api_key(b"k-pro");
            assert_eq!(remaining(&limiter, policy, key).await, Some(595));
            for (n, value) in (1..).zip([
                "Bearer",
                "Bearer ",
                "Bearer\tk-pro",
                "Bearerk-pro",
                "Bearer k-pro k-gold",
                "Bearer k-pro, Bearer k-pro",
                "Bearer Bearer k-pro",
                "Basic k-pro",
                "Token k-pro",
                "Digest k-pro",
                "Bearer made-up",
            ]) {
                assert_eq!(send(value).await, (60, 60 - n), "{value}");
            }
            assert_eq!(remaining(&limiter, policy, key).await, Some(595));
            assert_eq!(remaining(&limiter, policy, address()).await, Some(49));
        }
        let plain = limit_and_remaining(&app, "/plain", "x-api-key", &["Bearer k-pro"]).await;
        assert_eq!(plain, (60, 59), "in other headers the key is the value");
    }
}

#[tokio::test]
async fn a_caller_with_two_api_keys_is_anonymous() {
    for (limiter, _clock) in limiters("two keys").await {
        let app = start(&limiter).await;
        for (path, name, prefix) in [
            ("/plain", "x-api-key", ""),
            ("/bearer", "authorization", "Bearer "),
        ] {
            let lines = async |keys: &[&str]| {
                let lines: Vec<String> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                limit_and_remaining(&app, path, name, &lines).await
            };
            assert_eq!(lines(&["k-pro", "k-pro"]).await, (600, 599), "the same one");
            for (n, keys) in (1..).zip([
                &["k-pro", "k-free"][..],
                &["k-free", "k-pro"],
                &["made-up", "k-pro"],
                &["k-pro", "made-up"],
                &["", "k-pro"],
                &["k-pro", ""],
                &["k-pro", "k-pro", "k-free"],
                &["k-pro, k-pro"],
            ]) {
                assert_eq!(lines(keys).await, (60, 60 - n), "{keys:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_of_two_tenants_is_known_by_its_address() {
    for (limiter, _clock) in limiters("two tenants").await {
        let app = start(&limiter).await;
        let (left, right) = (ClientId::header(b"left"), ClientId::header(b"right"));
        let lines =
            async |path, lines: &[&str]| limit_and_remaining(&app, path, "x-tenant", lines).await.1;
        assert_eq!(lines("/tenant", &["left"]).await, 59);
        assert_eq!(
            lines("/tenant", &["left", "left"]).await,
            58,
            "the same one"
        );
        for (n, both) in (1..).zip([
            &["left", "right"][..],
            &["right", "left"],
            &["", "left"],
            &["left", ""],
            &["left", "left", "right"],
        ]) {
            assert_eq!(lines("/tenant", both).await, 60 - n, "{both:?}");
        }
        assert_eq!(remaining(&limiter, "by tenant", left).await, Some(58));
        assert_eq!(remaining(&limiter, "by tenant", right).await, None);
        assert_eq!(remaining(&limiter, "by tenant", address()).await, Some(55));

        assert_eq!(lines("/tenant-and-more", &["left"]).await, 59);
        assert_eq!(lines("/tenant-and-more", &["left", "right"]).await, 59);
        assert_eq!(
            lines("/tenant-and-more", &[]).await,
            58,
            "also by its address"
        );
    }
}

#[tokio::test]
async fn a_header_with_several_values_is_logged_once_without_them() {
    for (path, name) in [("/plain", "x-api-key"), ("/tenant", "x-tenant")] {
        let (log, _guard) = Log::begin();
        let limiter = RateLimiter::builder().tiers(StaticTiers::new(KEYS)).build();
        let app = start(&limiter.expect("nothing is wrong with it")).await;
        for _ in 0..3 {
            limit_and_remaining(&app, path, name, &["k-pro", "k-pro"]).await;
            limit_and_remaining(&app, path, name, &["k-pro", "k-free"]).await;
        }
        let lines = log.lines();
        let [line] = &*lines else {
            panic!("{lines:?}");
        };
        assert!(line.contains("WARN"), "{line}");
        assert!(line.contains(&format!("header=\"{name}\"")), "{line}");
        assert!(
            !line.contains("k-pro") && !line.contains("k-free"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_request_with_two_bypass_secrets_is_limited() {
    const SECRET: &str = "a secret of thirty-two characters";
    const OTHER: &str = "another of thirty-two characters!";

    let with_secret = |builder: Builder| builder.bypass_secret(SECRET);
    for (limiter, _clock) in limiters_with("two secrets", with_secret).await {
        let app = start(&limiter).await;
        let has_limit = async |lines: &[&str]| {
            let request = lines.iter().fold(app.get("/tenant"), |request, line| {
                request.header("x-ratelimit-bypass", *line)
            });
            let answer = request.send().await.expect("an answer");
            answer.headers().contains_key("x-ratelimit-limit")
        };
        assert!(!has_limit(&[SECRET]).await);
        assert!(!has_limit(&[SECRET, SECRET]).await);
        for lines in [[SECRET, OTHER], [OTHER, SECRET], [SECRET, ""], ["", SECRET]] {
            assert!(has_limit(&lines).await, "{lines:?}");
        }
    }
}
