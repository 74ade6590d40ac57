use std::sync::atomic::AtomicUsize;

use http::HeaderValue;
use tokio::sync::Semaphore;

use super::*;
use crate::clock::ManualClock;

/// A resolver that counts, and answers when it is let.
#[derive(Clone)]
struct Slow {
    asked: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
    answer: Arc<std::sync::Mutex<Result<Option<&'static str>, &'static str>>>,
}

impl TierResolver for Slow {
    async fn resolve(&self, _: ApiKey<'_>) -> Answer {
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
    let known = cache.get(key).await?;
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
        setup
            .cache
            .get(ApiKey::from_header(&value).expect("a key"))
            .await;
    }
    assert!(setup.cache.entries.len() <= CacheSettings::default().capacity);
}
