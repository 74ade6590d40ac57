//! One bounded cache before a resolver: known keys, unknown keys, and keys it could not tell of.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use quick_cache::sync::Cache;

use super::{ApiKey, ClientId, KnownKey, ResolveError, TierResolver, resolver::KnownCaller};
use crate::{
    clock::{Clock, micros},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// How long an answer is gone by, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSettings {
    pub(crate) known_for: Duration,
    pub(crate) unknown_for: Duration,
    pub(crate) capacity: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            known_for: Duration::from_secs(30),
            unknown_for: Duration::from_secs(5),
            capacity: 50_000,
        }
    }
}

/// A resolver that fails is asked again after this, for each key.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// A resolver that takes longer has failed: no request waits longer for its tier.
const PATIENCE: Duration = Duration::from_secs(1);

type Answer = Result<Option<KnownKey>, ResolveError>;

/// [`TierResolver`] as an object; the box for its future is made only where the cache has no answer.
trait DynResolver: Send + Sync {
    fn resolve<'a>(&'a self, key: ApiKey<'a>) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
}

impl<R: TierResolver> DynResolver for R {
    fn resolve<'a>(&'a self, key: ApiKey<'a>) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(TierResolver::resolve(self, key))
    }
}

pub(crate) struct TierCache {
    resolver: Box<dyn DynResolver>,
    entries: Cache<Vec<u8>, Arc<Entry>>,
    settings: CacheSettings,
    clock: Arc<dyn Clock>,
    failing: AtomicBool,
    look_ups: Arc<LookUps>,
}

/// How look-ups were answered.
#[derive(Default)]
pub(crate) struct LookUps {
    from_cache: AtomicU64,
    by_resolver: AtomicU64,
    failed: AtomicU64,
}

impl LookUps {
    /// Those since the last time, by the name of their result in metrics.
    #[cfg(feature = "metrics")]
    pub(crate) fn take(&self) -> [(&'static str, u64); 3] {
        [
            ("hit", &self.from_cache),
            ("miss", &self.by_resolver),
            ("error", &self.failed),
        ]
        .map(|(result, count)| (result, count.swap(0, Ordering::Relaxed)))
    }
}

struct Entry {
    known: Option<KnownCaller>,
    fresh_until: AtomicU64,
    refreshing: AtomicBool,
}

impl TierCache {
    pub(crate) fn new(
        resolver: impl TierResolver,
        settings: CacheSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            resolver: Box::new(resolver),
            entries: Cache::new(settings.capacity),
            settings,
            clock,
            failing: AtomicBool::new(false),
            look_ups: Arc::default(),
        }
    }

    /// Who has this key, if anybody has.
    pub(crate) async fn get(&self, key: ApiKey<'_>) -> Option<KnownCaller> {
        // The first to miss a key gets the guard and asks; everybody else waits for what it puts
        // in, or takes its place should it go away.
        match self.entries.get_value_or_guard_async(key.as_bytes()).await {
            Ok(entry) => {
                let is_stale =
                    || entry.fresh_until.load(Ordering::Relaxed) <= self.clock.now_micros();
                // Looked at again: another may have asked meanwhile.
                if is_stale()
                    && let Some(_refresh) = Refresh::begin(&entry)
                    && is_stale()
                {
                    return self.renew(key, &entry).await;
                }
                self.look_ups.from_cache.fetch_add(1, Ordering::Relaxed);
                entry.known.clone()
            }
            Err(guard) => {
                let entry = match self.ask(key).await {
                    Some(answer) => self.entry(key, answer),
                    None => self.entry_until_asked_again(),
                };
                let known = entry.known.clone();
                // An error here says that the place was taken meanwhile: the answer is used once.
                let _ = guard.insert(entry);
                known
            }
        }
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn look_ups(&self) -> Arc<LookUps> {
        self.look_ups.clone()
    }

    /// Asks anew about a key the next time.
    #[cfg(feature = "redis")]
    pub(crate) fn forget(&self, key: &[u8]) {
        self.entries.remove(key);
    }

    /// Asks about a key whose answer is out of date. Meanwhile others go by the old one, and so do
    /// all while the resolver fails.
    async fn renew(&self, key: ApiKey<'_>, old: &Entry) -> Option<KnownCaller> {
        if let Some(answer) = self.ask(key).await {
            let entry = self.entry(key, answer);
            let known = entry.known.clone();
            // Who has come by the old entry shall not ask once more.
            let fresh_until = entry.fresh_until.load(Ordering::Relaxed);
            old.fresh_until.store(fresh_until, Ordering::Relaxed);
            self.entries.insert(key.as_bytes().to_vec(), entry);
            known
        } else {
            old.fresh_until
                .store(self.later(FAILED_FOR), Ordering::Relaxed);
            old.known.clone()
        }
    }

    /// The resolver's answer, or `None` where it had none. It is logged when that begins and when
    /// it ends, not once a request.
    async fn ask(&self, key: ApiKey<'_>) -> Option<Option<KnownKey>> {
        let answer = tokio::time::timeout(PATIENCE, self.resolver.resolve(key))
            .await
            .unwrap_or_else(|_| Err(ResolveError::new("no answer within a second")));
        match answer {
            Ok(answer) => {
                self.look_ups.by_resolver.fetch_add(1, Ordering::Relaxed);
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("API keys can be looked up again");
                }
                Some(answer)
            }
            Err(error) => {
                self.look_ups.failed.fetch_add(1, Ordering::Relaxed);
                if !error.is_said() && !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "{error}; until they can be, keys keep the tier they had, and new ones are anonymous"
                    );
                }
                None
            }
        }
    }

    fn entry(&self, key: ApiKey<'_>, answer: Option<KnownKey>) -> Arc<Entry> {
        let fresh_for = match answer {
            Some(_) => self.settings.known_for,
            None => self.settings.unknown_for,
        };
        Arc::new(Entry {
            known: answer.map(|known| KnownCaller {
                client: ClientId::api_key(key.as_bytes()),
                key: known,
            }),
            fresh_until: AtomicU64::new(self.later(fresh_for)),
            refreshing: AtomicBool::new(false),
        })
    }

    fn entry_until_asked_again(&self) -> Arc<Entry> {
        Arc::new(Entry {
            known: None,
            fresh_until: AtomicU64::new(self.later(FAILED_FOR)),
            refreshing: AtomicBool::new(false),
        })
    }

    fn later(&self, by: Duration) -> u64 {
        self.clock.now_micros().saturating_add(micros(by))
    }
}

/// The right to ask about a key that has an answer: one holds it at a time, and gives it back also
/// when its request is cancelled.
struct Refresh<'a>(&'a Entry);

impl<'a> Refresh<'a> {
    fn begin(entry: &'a Entry) -> Option<Self> {
        let was_refreshing = entry.refreshing.swap(true, Ordering::Acquire);
        // Made by whoever got it only: another's end would give it back.
        (!was_refreshing).then(|| Self(entry))
    }
}

impl Drop for Refresh<'_> {
    fn drop(&mut self) {
        self.0.refreshing.store(false, Ordering::Release);
    }
}

#[cfg(all(test, shuttle))]
mod models;
#[cfg(test)]
mod tests;
