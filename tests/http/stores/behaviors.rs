//! What is true of a store whatever it is wrapped in.

use std::time::Duration;

use ratelimit::{Algorithm, Policy, PolicySource, Quota, SetTierError, Tier, policy};
use ratelimit_tests::{bucket, eventually, policy as made};

use super::{Subject, allowed, check};

policy! {
    /// Its tiers are looked up where the limiter has them from.
    Tiered: tier_header = "X-API-Key", free = 1, pro = 10, per = "1h"
}

pub(super) fn tiered() -> &'static Policy {
    Tiered::limits()[0].policy()
}

fn one_a_minute(algorithm: Algorithm) -> &'static Policy {
    made("one a minute", algorithm, Quota::per_minute(1))
}

pub(super) async fn a_rejection_ends_with_the_store_s_time(subject: Subject) {
    for algorithm in ratelimit_tests::ALGORITHMS {
        let policy = one_a_minute(algorithm);
        let limiter = subject.limiter().await;
        assert_eq!(allowed(&limiter, policy, 3).await, 1);
        subject.clock.advance(Duration::from_secs(59));
        assert_eq!(allowed(&limiter, policy, 3).await, 0);
        subject.clock.advance(Duration::from_secs(1));
        assert_eq!(allowed(&limiter, policy, 3).await, 1);
        subject.clock.advance(Duration::from_secs(3_600));
        assert_eq!(allowed(&limiter, policy, 3).await, 1, "an hour later");
        subject.clock.advance(Duration::from_secs(3_600));
    }
}

pub(super) async fn a_refund_and_a_reset_count_at_once(subject: Subject) {
    let policy = one_a_minute(Algorithm::FixedWindow);
    let limiter = subject.limiter().await;
    let status = check(&limiter, &[policy], "").await;
    assert_eq!(allowed(&limiter, policy, 2).await, 0);
    status.refund().await;
    assert_eq!(status.remaining(), Some(1));
    assert_eq!(allowed(&limiter, policy, 2).await, 1);
    let bucket = bucket(policy, 0x7f00_0001);
    assert_eq!(limiter.peek(&bucket).await.expect("a look").remaining, 0);
    limiter.reset(&bucket).await.expect("a reset");
    assert_eq!(allowed(&limiter, policy, 2).await, 1);
}

pub(super) async fn several_policies_take_all_or_nothing(subject: Subject) {
    let two = made("two", Algorithm::SlidingWindow, Quota::per_minute(2));
    let one = one_a_minute(Algorithm::TokenBucket);
    let limiter = subject.limiter().await;
    let both = async || check(&limiter, &[two, one], "").await.is_allowed();
    assert!(both().await);
    assert!(!both().await);
    assert_eq!(
        allowed(&limiter, two, 3).await,
        1,
        "what was rejected took nothing"
    );
}

pub(super) async fn a_rejection_is_cached_if_the_store_is_elsewhere(subject: Subject) {
    let policy = one_a_minute(Algorithm::FixedWindow);
    let limiter = subject.limiter().await;
    assert_eq!(allowed(&limiter, policy, 2).await, 1);
    let Some(server) = subject.server() else {
        return;
    };
    let checks = server.calls("evalsha").await;
    assert_eq!(allowed(&limiter, policy, 20).await, 0);
    assert_eq!(server.calls("evalsha").await, checks);
    // Another process resets the client, which is seen after a second.
    let other = subject.limiter().await;
    let reset = other.reset(&bucket(policy, 0x7f00_0001)).await;
    reset.expect("a reset");
    assert_eq!(allowed(&limiter, policy, 1).await, 0);
    subject.clock.advance(Duration::from_secs(1));
    assert_eq!(allowed(&limiter, policy, 1).await, 1);
}

pub(super) async fn tiers_come_from_the_store_if_it_has_any(subject: Subject) {
    let limiter = subject.limiter().await;
    let limit = async || check(&limiter, &[tiered()], "k-alice").await.limit();
    assert_eq!(limit().await, Some(1));
    let set = limiter.set_tier("k-alice", Some("pro")).await;
    if subject.server().is_none() {
        assert!(matches!(set, Err(SetTierError::NotInStore)), "{set:?}");
        return;
    }
    set.expect("the store keeps tiers");
    assert_eq!(limit().await, Some(10));
    let other = subject.limiter().await;
    let status = check(&other, &[tiered()], "k-alice").await;
    assert_eq!(status.limit(), Some(10), "of another process");
    limiter.set_tier("k-alice", None).await.expect("a store");
    assert_eq!(limit().await, Some(1));
}

pub(super) async fn leases_are_spent_here_and_given_back(subject: Subject) {
    static LEASED: Policy = Policy::new(
        "leased",
        Algorithm::FixedWindow,
        &[Tier::new("default", Quota::per_hour(400))],
    )
    .with_lease();
    let limiter = subject.limiter().await;
    assert_eq!(allowed(&limiter, &LEASED, 200).await, 200);
    if let Some(server) = subject.server() {
        let checks = server.calls("evalsha").await;
        assert!(checks < 100, "{checks} calls");
        // What this process has leased and not spent another can have.
        limiter.give_back_leases().await;
        let other = subject.limiter().await;
        assert_eq!(allowed(&other, &LEASED, 300).await, 200);
        assert_eq!(allowed(&limiter, &LEASED, 1).await, 0);
    } else {
        limiter.give_back_leases().await;
        assert_eq!(allowed(&limiter, &LEASED, 300).await, 200);
    }
}

pub(super) async fn stats_and_the_bypass_are_shared_by_those_who_share_the_store(subject: Subject) {
    let policy = one_a_minute(Algorithm::FixedWindow);
    let limiters = [subject.limiter().await, subject.limiter().await];
    for limiter in &limiters {
        allowed(limiter, policy, 3).await;
    }
    let time = Duration::from_secs(60);
    let started = limiters[0].start_bypass("an incident", time).await;
    let started = started.expect("a store");
    assert_eq!(limiters[0].bypass().as_ref(), Some(&started));
    if subject.server().is_none() {
        let figures = limiters[0].fleet_figures().await.expect("no store to ask");
        assert_eq!(figures, None);
        assert_eq!(limiters[1].bypass(), None);
        return;
    }
    eventually("the stats of both", async || {
        let figures = limiters[0].fleet_figures().await.expect("stats");
        figures.is_some_and(|all| (all.requests_per_minute, all.limited_per_minute) == (6, 5))
    })
    .await;
    eventually("the bypass in the other process", async || {
        limiters[1]
            .bypass()
            .is_some_and(|bypass| bypass.since == started.since)
    })
    .await;
    limiters[1].end_bypass().await.expect("a store");
    eventually("its end", async || limiters[0].bypass().is_none()).await;
}

pub(super) async fn what_operators_see_of_it(subject: Subject) {
    let limiter = subject.limiter().await;
    let shown = format!("{limiter:?}");
    if subject.server().is_none() {
        assert_eq!(limiter.store_health(), None);
        assert!(shown.contains("memory"), "{shown}");
        return;
    }
    let health = limiter.store_health();
    let health = health.expect("a server may be unavailable");
    assert!(health.is_up && health.outages == 0, "{health:?}");
    assert!(shown.contains("redis"), "{shown}");
}

pub(super) async fn an_outage_is_the_store_s(mut subject: Subject) {
    let policy = made("five", Algorithm::FixedWindow, Quota::per_hour(5));
    let limiter = subject.limiter().await;
    assert_eq!(allowed(&limiter, policy, 1).await, 1);
    let had_server = subject.server().is_some();
    subject.end_server();
    assert_eq!(allowed(&limiter, policy, 20).await, 4, "what was left");
    let is_up = limiter.store_health().is_none_or(|health| health.is_up);
    assert_eq!(is_up, !had_server);
}
