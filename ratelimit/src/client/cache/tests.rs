use std::{
    pin::Pin,
    task::{Context, Waker},
};

use http::HeaderValue;
use tokio::sync::Semaphore;

use super::*;
use crate::{clock::ManualClock, sync::atomic::AtomicUsize};

const ADDRESS: ClientId = ClientId::UNKNOWN_IP;

/// A resolver that counts, and answers when it is let.
#[derive(Clone)]
struct Slow {
    asked: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
    answer: Arc<std::sync::Mutex<Result<Option<&'static str>, &'static str>>>,
}

impl TierResolver for Slow {
    async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.expect("never closed").forget();
        let answer = *self.answer.lock().expect("not poisoned");
        answer
            .map(|known| known.map(KnownKey::on_tier))
            .map_err(ResolveError::new)
    }
}

struct Setup {
    resolver: Slow,
    clock: ManualClock,
    cache: Arc<TierCache>,
}

fn setup(answer: Result<Option<&'static str>, &'static str>) -> Setup {
    let resolver = Slow {
        asked: Arc::default(),
        permits: Arc::new(Semaphore::new(0)),
        answer: Arc::new(std::sync::Mutex::new(answer)),
    };
    let clock = ManualClock::new();
    let cache = Arc::new(TierCache::new(
        resolver.clone(),
        CacheSettings::default(),
        Arc::new(clock.clone()),
    ));
    Setup {
        resolver,
        clock,
        cache,
    }
}

impl Setup {
    fn will_answer(&self, answer: Result<Option<&'static str>, &'static str>) {
        *self.resolver.answer.lock().expect("not poisoned") = answer;
        self.resolver.permits.add_permits(1);
    }

    fn asked(&self) -> usize {
        self.resolver.asked.load(Ordering::SeqCst)
    }

    async fn tier(&self) -> Option<String> {
        tier(&self.cache).await
    }
}

async fn tier(cache: &TierCache) -> Option<String> {
    let value = HeaderValue::from_static("a-key");
    let key = ApiKey::from_header(&value).expect("a key");
    let known = cache.get(key, || ADDRESS).await.caller?;
    known.key.tier().map(str::to_owned)
}

#[tokio::test]
async fn many_waiting_requests_ask_once() {
    let setup = setup(Ok(Some("pro")));
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let cache = setup.cache.clone();
            tokio::spawn(async move { tier(&cache).await })
        })
        .collect();
    while setup.asked() == 0 {
        tokio::task::yield_now().await;
    }
    setup.will_answer(Ok(Some("pro")));
    for task in waiting {
        assert_eq!(task.await.expect("no panic").as_deref(), Some("pro"));
    }
    assert_eq!(setup.asked(), 1);
}

#[tokio::test]
async fn who_asks_may_go_away() {
    let setup = setup(Ok(Some("pro")));
    let first = {
        let cache = setup.cache.clone();
        tokio::spawn(async move { tier(&cache).await })
    };
    while setup.asked() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.is_err(), "it has gone away");
    setup.will_answer(Ok(Some("pro")));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    assert_eq!(setup.asked(), 2);
}

#[tokio::test]
async fn answers_are_gone_by_for_a_time() {
    let setup = setup(Ok(None));
    setup.will_answer(Ok(None));
    assert_eq!(setup.tier().await, None);
    setup.clock.advance(Duration::from_millis(4_999));
    assert_eq!(setup.tier().await, None);
    assert_eq!(
        setup.asked(),
        1,
        "an unknown key is not asked about each time"
    );

    setup.clock.advance(Duration::from_millis(1));
    setup.will_answer(Ok(Some("pro")));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    assert_eq!(setup.asked(), 2);

    setup.clock.advance(Duration::from_millis(29_999));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    assert_eq!(setup.asked(), 2);
    setup.clock.advance(Duration::from_millis(1));
    setup.will_answer(Ok(Some("free")));
    assert_eq!(setup.tier().await.as_deref(), Some("free"));
    assert_eq!(setup.asked(), 3);
}

#[tokio::test]
async fn the_last_answer_holds_while_the_resolver_fails() {
    let setup = setup(Ok(Some("pro")));
    setup.will_answer(Ok(Some("pro")));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));

    setup.clock.advance(Duration::from_secs(60));
    setup.will_answer(Err("down"));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    assert_eq!(
        setup.asked(),
        2,
        "it is asked once a second, not once a request"
    );

    setup.clock.advance(FAILED_FOR);
    setup.will_answer(Ok(None));
    assert_eq!(
        setup.tier().await,
        None,
        "a key that was revoked is revoked"
    );
    assert_eq!(setup.asked(), 3);
}

#[tokio::test]
async fn a_new_key_is_anonymous_while_the_resolver_fails() {
    let setup = setup(Err("down"));
    setup.will_answer(Err("down"));
    assert_eq!(setup.tier().await, None);
    assert_eq!(setup.tier().await, None);
    assert_eq!(setup.asked(), 1);
    setup.clock.advance(FAILED_FOR);
    setup.will_answer(Ok(Some("pro")));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_has_failed() {
    let setup = setup(Ok(Some("pro")));
    assert_eq!(setup.tier().await, None, "no answer came");
    assert_eq!(setup.asked(), 1);
}

#[tokio::test]
async fn it_is_bounded() {
    let setup = setup(Ok(None));
    setup.resolver.permits.add_permits(1_000_000);
    for n in 0..60_000 {
        let value = HeaderValue::from_str(&format!("key-{n}")).expect("a value");
        let address = ClientId::value(&format!("address {n}"));
        let key = ApiKey::from_header(&value).expect("a key");
        setup.cache.get(key, || address).await;
    }
    assert!(setup.cache.entries.len() <= CacheSettings::default().capacity);
}

/// Polls a future once, and leaves it there: as a `select!` does with a future that it runs the body
/// of another branch beside.
fn poll_once<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>) {
    let polled = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "the resolver has not answered");
}

#[tokio::test(start_paused = true)]
async fn a_caller_does_not_depend_on_a_look_up_that_another_began_and_does_not_poll() {
    let setup = setup(Ok(Some("pro")));
    let mut stuck: Pin<Box<dyn Future<Output = _>>> = Box::pin(setup.tier());
    poll_once(&mut stuck);
    let second = tokio::time::timeout(Duration::from_secs(10), setup.tier());
    assert_eq!(second.await, Ok(None), "no answer within its time");
}

#[tokio::test(start_paused = true)]
async fn a_caller_finishes_a_look_up_that_another_began() {
    let setup = setup(Ok(Some("pro")));
    let mut stuck: Pin<Box<dyn Future<Output = _>>> = Box::pin(setup.tier());
    poll_once(&mut stuck);
    setup.will_answer(Ok(Some("pro")));
    let second = tokio::time::timeout(Duration::from_millis(1), setup.tier());
    assert_eq!(second.await, Ok(Some("pro".to_owned())));
    assert_eq!(stuck.await.as_deref(), Some("pro"));
    assert_eq!(setup.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_is_not_used_for_longer_because_its_renewal_is_not_polled() {
    let setup = setup(Ok(Some("pro")));
    setup.will_answer(Ok(Some("pro")));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    setup.clock.advance(Duration::from_secs(30));
    let mut stuck: Pin<Box<dyn Future<Output = _>>> = Box::pin(setup.tier());
    poll_once(&mut stuck);
    assert_eq!(setup.tier().await.as_deref(), Some("pro"), "meanwhile");
    tokio::time::advance(Duration::from_secs(1)).await;
    setup.will_answer(Ok(None));
    assert_eq!(setup.tier().await, None, "the key was revoked");
}

#[tokio::test]
async fn a_tier_that_was_set_is_not_undone_by_a_look_up_in_flight() {
    for is_renewal in [false, true] {
        let setup = setup(Ok(Some("free")));
        if is_renewal {
            setup.will_answer(Ok(Some("free")));
            assert_eq!(setup.tier().await.as_deref(), Some("free"));
            setup.clock.advance(Duration::from_secs(30));
        }
        let asked_before = setup.asked();
        let mut before: Pin<Box<dyn Future<Output = _>>> = Box::pin(setup.tier());
        poll_once(&mut before);
        assert_eq!(setup.asked(), asked_before + 1);
        // Here the tier is written to where the resolver reads it.
        setup.cache.forget(b"a-key");
        let mut after: Pin<Box<dyn Future<Output = _>>> = Box::pin(setup.tier());
        poll_once(&mut after);
        assert_eq!(
            setup.asked(),
            asked_before + 2,
            "the look-up before is too old"
        );
        // The first permit is for the first look-up, which is not polled until the second is done.
        setup.will_answer(Ok(Some("pro")));
        setup.will_answer(Ok(Some("pro")));
        assert_eq!(after.await.as_deref(), Some("pro"));
        *setup.resolver.answer.lock().expect("not poisoned") = Ok(Some("free"));
        assert_eq!(before.await.as_deref(), Some("free"), "as the tier was");
        assert_eq!(setup.tier().await.as_deref(), Some("pro"));
        assert_eq!(setup.asked(), asked_before + 2);
    }
}

#[tokio::test]
async fn a_resolver_that_panics_has_failed() {
    struct Panics(Arc<AtomicUsize>);

    impl TierResolver for Panics {
        async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
            assert!(
                self.0.fetch_add(1, Ordering::SeqCst) > 0,
                "a panic of the application's"
            );
            Ok(Some(KnownKey::on_tier("pro")))
        }
    }

    let clock = ManualClock::new();
    let asked = Arc::default();
    let cache = TierCache::new(
        Panics(Arc::clone(&asked)),
        CacheSettings::default(),
        Arc::new(clock.clone()),
    );
    assert_eq!(tier(&cache).await, None);
    assert_eq!(tier(&cache).await, None);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    clock.advance(FAILED_FOR);
    assert_eq!(tier(&cache).await.as_deref(), Some("pro"));
}

/// A resolver that uses a timer of the runtime in which it is polled first.
struct SleepsForAnHour;

impl TierResolver for SleepsForAnHour {
    async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        Ok(None)
    }
}

#[test]
fn a_look_up_that_was_begun_in_another_runtime_ends_in_time() {
    for is_shut_down in [false, true] {
        let settings = CacheSettings {
            timeout: Duration::from_millis(200),
            ..CacheSettings::default()
        };
        let clock = Arc::new(ManualClock::new());
        let cache = TierCache::new(SleepsForAnHour, settings, clock);
        let runtimes = [(); 2].map(|()| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            runtime.expect("a runtime")
        });
        let [first, second] = runtimes;
        let mut stuck: Pin<Box<dyn Future<Output = _>>> = Box::pin(tier(&cache));
        first.block_on(async { poll_once(&mut stuck) });
        // Of the first runtime no timer fires any more.
        let first = (!is_shut_down).then_some(first);
        let waited = second
            .block_on(async { tokio::time::timeout(Duration::from_secs(10), tier(&cache)).await });
        assert_eq!(waited, Ok(None), "is_shut_down: {is_shut_down}");
        drop((stuck, first));
    }
}

#[tokio::test]
async fn a_key_that_is_forgotten_is_asked_about_again() {
    let setup = setup(Ok(Some("pro")));
    setup.will_answer(Ok(Some("pro")));
    for _ in 0..2 {
        assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    }
    assert_eq!(setup.asked(), 1);
    setup.cache.forget(b"a-key");
    setup.will_answer(Ok(Some("free")));
    assert_eq!(setup.tier().await.as_deref(), Some("free"));
    assert_eq!(setup.asked(), 2);
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn look_ups_are_counted_by_their_result() {
    let setup = setup(Ok(Some("pro")));
    setup.will_answer(Err("gone"));
    assert_eq!(setup.tier().await, None);
    setup.clock.advance(std::time::Duration::from_secs(60));
    setup.will_answer(Ok(Some("pro")));
    for _ in 0..3 {
        assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    }
    let look_ups = setup.cache.look_ups();
    assert_eq!(
        look_ups.take(),
        [("hit", 2), ("miss", 1), ("error", 1), ("throttled", 0)]
    );
    assert_eq!(
        look_ups.take(),
        [("hit", 0), ("miss", 0), ("error", 0), ("throttled", 0)]
    );
}

/// An answer is as old as the clock says that it is, whichever way that was moved.
#[tokio::test]
async fn an_answer_is_not_used_for_longer_because_the_clock_is_set_back() {
    let hour = Duration::from_secs(3_600);
    let setup = setup(Ok(Some("pro")));
    let now = Duration::from_micros(setup.clock.now_micros());
    setup.clock.set(now + hour);
    setup.will_answer(Ok(Some("pro")));
    assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    setup.clock.set(now);
    setup.clock.advance(CacheSettings::default().known_for);
    setup.will_answer(Ok(None));
    assert_eq!(setup.tier().await, None);
}

/// Answers at once, and knows the keys that begin with `known`.
#[derive(Clone, Default)]
struct ByName(Arc<AtomicUsize>);

impl TierResolver for ByName {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let is_known = key.as_bytes().starts_with(b"known");
        Ok(is_known.then(|| KnownKey::on_tier("pro")))
    }
}

/// A budget of two unknown keys for each address.
struct Budgeted {
    asked: Arc<AtomicUsize>,
    clock: ManualClock,
    cache: TierCache,
}

impl Budgeted {
    fn new() -> Self {
        let resolver = ByName::default();
        let clock = ManualClock::new();
        Self {
            asked: resolver.0.clone(),
            cache: TierCache::new(resolver, few_look_ups(), Arc::new(clock.clone())),
            clock,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn is_known(&self, address: &str, key: &str) -> bool {
        is_known(&self.cache, address, key).await
    }

    /// Uses up the budget of an address.
    async fn exhaust(&self, address: &str) {
        for n in 0..10 {
            let key = format!("made-up-{address}-{n}");
            assert!(!self.is_known(address, &key).await);
        }
    }
}

fn few_look_ups() -> CacheSettings {
    CacheSettings {
        quotas: LookUpQuotas::per_minute(2).expect("a budget"),
        ..CacheSettings::default()
    }
}

async fn is_known(cache: &TierCache, address: &str, key: &str) -> bool {
    let value = HeaderValue::from_str(key).expect("a value");
    let key = ApiKey::from_header(&value).expect("a key");
    let address = ClientId::value(address);
    cache.get(key, || address).await.caller.is_some()
}

#[tokio::test]
async fn unknown_keys_are_looked_up_within_the_budget_of_their_address() {
    let setup = Budgeted::new();
    setup.exhaust("a").await;
    assert_eq!(setup.asked(), 2);
    assert!(setup.cache.entries.len() <= 2, "no room for the others");
    assert!(!setup.is_known("a", "known").await, "a new key from there");
    assert_eq!(setup.asked(), 2);
    assert!(setup.is_known("b", "known").await, "another address");
    assert!(setup.is_known("a", "known").await, "it is cached now");
    setup.clock.advance(Duration::from_secs(30));
    assert!(setup.is_known("a", "known-2").await);
    assert_eq!(setup.asked(), 4);
}

#[tokio::test]
async fn known_keys_cost_nothing_and_outlive_a_budget_that_is_used_up() {
    let setup = Budgeted::new();
    for n in 0..100 {
        assert!(setup.is_known("a", &format!("known-{n}")).await);
    }
    for round in 0..3 {
        setup.exhaust("a").await;
        for n in 0..100 {
            assert!(setup.is_known("a", &format!("known-{n}")).await, "{round}");
        }
        // Out of date, and longer than the budget takes to be refilled.
        setup.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(setup.asked(), 3 * (100 + 2));
}

#[tokio::test]
async fn a_key_whose_tier_was_set_is_looked_up_without_a_budget() {
    let setup = Budgeted::new();
    setup.exhaust("a").await;
    setup.cache.forget(b"known");
    assert!(setup.is_known("a", "known").await);
    setup.cache.forget(b"made-up");
    assert!(!setup.is_known("a", "made-up").await);
    setup.clock.advance(Duration::from_secs(5));
    let asked = setup.asked();
    assert!(!setup.is_known("a", "made-up").await);
    assert_eq!(setup.asked(), asked, "it was free once");
}

#[tokio::test]
async fn many_known_keys_at_once_wait_for_a_budget_that_is_in_flight() {
    let resolver = Slow {
        asked: Arc::default(),
        permits: Arc::new(Semaphore::new(0)),
        answer: Arc::new(std::sync::Mutex::new(Ok(Some("pro")))),
    };
    let clock = Arc::new(ManualClock::new());
    let cache = Arc::new(TierCache::new(resolver.clone(), few_look_ups(), clock));
    let waiting: Vec<_> = (0..100)
        .map(|n| {
            let cache = cache.clone();
            tokio::spawn(async move { is_known(&cache, "a", &format!("key-{n}")).await })
        })
        .collect();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 2, "in flight");
    resolver.permits.add_permits(100);
    for task in waiting {
        assert!(task.await.expect("no panic"));
    }
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 100);
}

#[tokio::test(start_paused = true)]
async fn look_ups_that_wait_for_others_end_in_time_and_leave_none_waiting() {
    let resolver = Slow {
        asked: Arc::default(),
        permits: Arc::new(Semaphore::new(0)),
        answer: Arc::new(std::sync::Mutex::new(Ok(None))),
    };
    let clock = ManualClock::new();
    let cache = TierCache::new(resolver.clone(), few_look_ups(), Arc::new(clock.clone()));
    let cache = Arc::new(cache);
    let flood = |round: usize| -> Vec<_> {
        let all = (0..100).map(|n| {
            let cache = cache.clone();
            let key = format!("key-{round}-{n}");
            tokio::spawn(async move { is_known(&cache, "a", &key).await })
        });
        all.collect()
    };
    // The resolver hangs.
    let begin = Instant::now();
    for task in flood(0) {
        assert!(!task.await.expect("no panic"));
    }
    assert_eq!(begin.elapsed(), CacheSettings::default().timeout);
    clock.advance(Duration::from_secs(1));
    // It does not any more: two are looked up, and the others are anonymous without waiting.
    let asked = resolver.asked.load(Ordering::SeqCst);
    resolver.permits.add_permits(200);
    let begin = Instant::now();
    for task in flood(1) {
        assert!(!task.await.expect("no panic"));
    }
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!(resolver.asked.load(Ordering::SeqCst), asked + 2);
}

/// A look-up that had to wait for others has less time than the store needs, which is no outage.
#[tokio::test(start_paused = true)]
async fn a_look_up_that_begins_late_is_not_waited_for_in_vain_if_others_were_answered() {
    struct Distant;

    impl TierResolver for Distant {
        async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
            tokio::time::sleep(Duration::from_millis(400)).await;
            Ok(Some(KnownKey::on_tier("pro")))
        }
    }

    let cache = TierCache::new(Distant, few_look_ups(), Arc::new(ManualClock::new()));
    let all = (0..10).map(|n| {
        let cache = &cache;
        async move {
            let value = HeaderValue::from_str(&format!("key-{n}")).expect("a value");
            let key = ApiKey::from_header(&value).expect("a key");
            cache.get(key, || ADDRESS).await
        }
    });
    let all = futures_util::future::join_all(all).await;
    let count = |is_meant: fn(&Resolved) -> bool| all.iter().filter(|one| is_meant(one)).count();
    assert_eq!(count(|resolved| resolved.caller.is_some()), 4);
    assert_eq!(count(|resolved| resolved.is_unanswered), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_has_used_its_budget() {
    let setup = setup(Ok(None));
    let mut asked = 0;
    for n in 0..1_000 {
        let key = format!("key-{n}");
        let mut look_up: Pin<Box<dyn Future<Output = _>>> =
            Box::pin(is_known(&setup.cache, "a", &key));
        let _ = look_up
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        drop(look_up);
        asked = setup.asked();
    }
    assert_eq!(asked, 60);
}

/// Otherwise a client with a key could have it looked up for each request that it cancels.
#[tokio::test]
async fn a_known_key_whose_clients_go_away_is_looked_up_ten_times_a_second_and_within_the_budget() {
    for was_set in [false, true] {
        let setup = setup(Ok(Some("pro")));
        setup.will_answer(Ok(Some("pro")));
        assert_eq!(setup.tier().await.as_deref(), Some("pro"));
        setup.clock.advance(Duration::from_secs(30));
        if was_set {
            setup.cache.forget(b"a-key");
        }
        let before = setup.asked();
        for second in 1..=3 {
            for _ in 0..1_000 {
                let mut look_up: Pin<Box<dyn Future<Output = _>>> = Box::pin(setup.tier());
                let _ = look_up
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
            }
            let looked_up = setup.asked() - before;
            let from_budget = if was_set || second > 1 { 60 } else { 0 };
            let most = 10 * second + from_budget + second;
            assert!(looked_up <= most, "{looked_up}, {was_set}, {second}");
            setup.clock.advance(Duration::from_secs(1));
        }
        // By a client that stays it is looked up, also where the budget is used up.
        setup.will_answer(Ok(Some("pro")));
        assert_eq!(setup.tier().await.as_deref(), Some("pro"));
        assert_eq!(setup.tier().await.as_deref(), Some("pro"));
    }
}

/// Otherwise a client could keep a key that was revoked.
#[tokio::test]
async fn an_old_answer_is_not_used_for_longer_because_its_renewals_are_cancelled() {
    for is_in_flight in [false, true] {
        let setup = setup(Ok(Some("pro")));
        setup.will_answer(Ok(Some("pro")));
        assert_eq!(setup.tier().await.as_deref(), Some("pro"));
        setup.clock.advance(Duration::from_secs(30));
        let mut renewal: Pin<Box<dyn Future<Output = _>>> = Box::pin(setup.tier());
        poll_once(&mut renewal);
        let renewal = is_in_flight.then_some(renewal);
        assert_eq!(setup.tier().await.as_deref(), Some("pro"), "meanwhile");
        setup.clock.advance(Duration::from_secs(1));
        setup.will_answer(Ok(None));
        assert_eq!(setup.tier().await, None, "the key was revoked");
        drop(renewal);
    }
}

#[tokio::test]
async fn a_tier_s_name_is_cached_in_bounded_room() {
    struct Long;

    impl TierResolver for Long {
        async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
            Ok(Some(KnownKey::on_tier("x".repeat(10 << 20))))
        }
    }

    let clock = Arc::new(ManualClock::new());
    let cache = TierCache::new(Long, CacheSettings::default(), clock);
    for _ in 0..2 {
        let tier = tier(&cache).await.expect("a tier");
        assert!((257..300).contains(&tier.len()), "{}", tier.len());
    }
}
