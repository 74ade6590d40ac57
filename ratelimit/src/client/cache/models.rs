//! Requests with the same key at once, in many orders.

use http::HeaderValue;
use shuttle::{
    future::{block_on, yield_now},
    thread,
};
use tokio::runtime;

use super::*;
use crate::{
    clock::ManualClock,
    sync::{
        atomic::{AtomicBool, AtomicUsize},
        in_many_orders,
    },
};

/// A resolver that takes its time, and fails from then on when it is to.
#[derive(Clone, Default)]
struct Slow {
    asked: Arc<AtomicUsize>,
    fails: Arc<AtomicBool>,
}

impl TierResolver for Slow {
    async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        yield_now().await;
        if self.fails.load(Ordering::SeqCst) {
            return Err(ResolveError::new("gone"));
        }
        Ok(Some(KnownKey::on_tier("pro")))
    }
}

fn get(cache: &TierCache) -> Option<KnownCaller> {
    get_key(cache, "a-key")
}

fn get_key(cache: &TierCache, key: &str) -> Option<KnownCaller> {
    let value = HeaderValue::from_str(key).expect("a value");
    let key = ApiKey::from_header(&value).expect("a key");
    block_on(cache.get(key, || ClientId::UNKNOWN_IP)).caller
}

/// A resolver that knows no keys.
#[derive(Clone, Default)]
struct Unknown(Arc<AtomicUsize>);

impl TierResolver for Unknown {
    async fn resolve(&self, _: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        yield_now().await;
        Ok(None)
    }
}

#[test]
fn no_more_keys_are_looked_up_than_an_address_may_and_no_request_waits_for_ever() {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    in_many_orders(|| {
        let resolver = Unknown::default();
        let settings = CacheSettings {
            quotas: LookUpQuotas::per_minute(2).expect("a budget"),
            ..CacheSettings::default()
        };
        let clock = Arc::new(ManualClock::new());
        let cache = Arc::new(TierCache::new(resolver.clone(), settings, clock));
        let threads = ["a", "b", "c", "c"].map(|key| {
            let cache = cache.clone();
            thread::spawn(move || get_key(&cache, key).is_some())
        });
        for thread in threads {
            assert!(!thread.join().expect("no panic"), "the key is unknown");
        }
        assert_eq!(resolver.0.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_key_is_asked_about_once_however_many_have_it() {
    // All threads of a model are one of the system's, and in this runtime with it.
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    in_many_orders(|| {
        let (resolver, clock) = (Slow::default(), ManualClock::new());
        let settings = CacheSettings::default();
        let cache = TierCache::new(resolver.clone(), settings, Arc::new(clock.clone()));
        let cache = Arc::new(cache);
        let all_know = || {
            let threads = [(); 3].map(|()| {
                let cache = cache.clone();
                thread::spawn(move || get(&cache).is_some())
            });
            for thread in threads {
                assert!(thread.join().expect("no panic"), "the key is known");
            }
        };
        let asked = || resolver.asked.load(Ordering::SeqCst);

        all_know();
        assert_eq!(asked(), 1, "a new key");
        clock.advance(settings.known_for);
        all_know();
        assert_eq!(asked(), 2, "an answer that is out of date");
        clock.advance(settings.known_for);
        resolver.fails.store(true, Ordering::SeqCst);
        all_know();
        assert_eq!(asked(), 3, "an answer that cannot be had anew");

        let counted = |count: &AtomicU64| count.load(Ordering::SeqCst);
        let look_ups = &cache.look_ups;
        assert_eq!(counted(&look_ups.from_cache), 6);
        assert_eq!(counted(&look_ups.by_resolver), 2);
        assert_eq!(counted(&look_ups.failed), 1);
    });
}
