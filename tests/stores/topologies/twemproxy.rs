//! Several servers behind a proxy that looks like one.

use futures_util::future::join_all;
use ratelimit::{Bucket, Charge, Quota, RateLimiter, RedisStore, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, Twemproxy, bucket, eventually, patient, policy};
use redis::AsyncCommands;

const LIMIT: u32 = 20;

fn buckets(clients: u32) -> Vec<Bucket> {
    let policies = ALGORITHMS.map(|algorithm| policy("proxied", algorithm, Quota::per_hour(LIMIT)));
    let of_client = |n| policies.map(|policy| bucket(policy, n));
    (0..clients).flat_map(of_client).collect()
}

fn charges(buckets: [Bucket; 2]) -> [Charge; 2] {
    buckets.map(|bucket| Charge {
        bucket,
        cost: 1,
        enforced: true,
    })
}

/// As many checks at once as would be sent in batches, of clients on both servers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_limit_is_allowed_by_whichever_server_has_the_client() {
    for (hash_tag, lazily) in [(Some("{}"), false), (Some("{}"), true), (None, false)] {
        let servers = [RedisServer::start(), RedisServer::start()];
        let proxy = Twemproxy::start(servers.each_ref(), hash_tag);
        let builder = patient(RedisStore::builder(proxy.url()));
        let store = if lazily {
            builder.connect_lazily()
        } else {
            builder.connect().await
        };
        let store = store.expect("a proxy");
        let buckets = buckets(20);
        eventually("a decision", async || {
            store.check(&buckets[0], 0).await.is_ok()
        })
        .await;
        let mut allowed = vec![0; buckets.len()];
        for _ in 0..LIMIT {
            let twice = buckets.iter().chain(&buckets);
            let decisions = join_all(twice.map(|bucket| store.check(bucket, 1))).await;
            for (n, decision) in decisions.into_iter().enumerate() {
                let decision = decision.expect("a decision");
                allowed[n % buckets.len()] += u32::from(decision.allowed);
            }
        }
        assert_eq!(allowed, vec![LIMIT; buckets.len()], "{hash_tag:?}");
        let mut keys = 0;
        for server in &servers {
            let names: Vec<String> = server.connection().await.keys("*").await.expect("keys");
            assert!(names.len() > 10, "{} on one of them", names.len());
            keys += names.len();
        }
        assert_eq!(keys, buckets.len(), "each is on one server");
    }
}

#[tokio::test]
async fn several_buckets_are_one_step_if_the_proxy_keeps_them_together() {
    let buckets = buckets(2);
    for hash_tag in [Some("{}"), None] {
        let is_tagged = hash_tag.is_some();
        let servers = [RedisServer::start(), RedisServer::start()];
        let proxy = Twemproxy::start(servers.each_ref(), hash_tag);
        let builder = patient(RedisStore::builder(proxy.url()));
        let store = builder.connect().await.expect("a proxy");
        let of_one_client = store.check_all(&charges([buckets[0], buckets[1]])).await;
        assert_eq!(of_one_client.is_ok(), is_tagged, "{of_one_client:?}");
        let of_two = store.check_all(&charges([buckets[0], buckets[3]])).await;
        let refused = of_two.expect_err("of two clients").to_string();
        assert!(refused.contains("refuses a check"), "{refused}");
        for bucket in &buckets {
            // What is refused takes nothing, and is no outage.
            let seen = store.check(bucket, 0).await.expect("a look");
            let is_taken = is_tagged && buckets[..2].contains(bucket);
            assert_eq!(seen.remaining, LIMIT - u32::from(is_taken));
        }
        let limiter = RateLimiter::builder().store(store).build();
        let health = limiter.expect("built").store_health().expect("a store");
        assert_eq!(health.outages, 0);
    }
}
