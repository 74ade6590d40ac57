//! A bounded cache before a [`TierResolver`]: known keys, unknown keys, and look-ups that failed.

mod entry;
#[cfg(all(test, shuttle))]
mod models;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use quick_cache::sync::Cache;
use tokio::time::{Instant, timeout_at};

use self::entry::{
    Answer, Attempts, Entry, FAILED_FOR, InFlight, LookUp, Resolving, State, is_within,
};
use super::{
    ApiKey, ClientId, KnownKey, LookUpQuotas, ResolveError, TierResolver,
    failure_log::FailureLog,
    look_up_budget::{AddressLookUps, Ended, LookUpBudget, LookUpEnd, Reservation, Unreserved},
    resolver::KnownCaller,
};
use crate::{
    clock::{Clock, micros},
    log_throttle::LogThrottle,
    sync::atomic::{AtomicU64, Ordering},
};

/// How long answers are used and waited for, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSettings {
    pub(crate) known_for: Duration,
    pub(crate) unknown_for: Duration,
    pub(crate) capacity: usize,
    /// A look-up that takes longer has failed.
    pub(crate) timeout: Duration,
    /// What bounds the look-ups of each client address.
    pub(crate) quotas: LookUpQuotas,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            known_for: Duration::from_secs(30),
            unknown_for: Duration::from_secs(5),
            capacity: 50_000,
            timeout: Duration::from_secs(1),
            quotas: LookUpQuotas::DEFAULT,
        }
    }
}

/// A timeout that is longer is cut to this: an instant must be able to hold its end.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// A [`TierResolver`] as an object.
trait DynResolver: Send + Sync {
    fn look_up(self: Arc<Self>, key: Vec<u8>, reservation: Option<Reservation>) -> Resolving;
}

impl<R: TierResolver> DynResolver for R {
    /// A panic is an error of this look-up: the requests that wait for it go on without an answer.
    fn look_up(self: Arc<Self>, key: Vec<u8>, reservation: Option<Reservation>) -> Resolving {
        Box::pin(async move {
            let answer = async { self.resolve(ApiKey::from_checked(&key)).await };
            let answer = AssertUnwindSafe(answer).catch_unwind().await;
            let answer = answer.unwrap_or_else(|_| Err(ResolveError::new("the resolver panicked")));
            if let Some(reservation) = reservation {
                reservation.settle(match &answer {
                    Ok(Some(_)) => LookUpEnd::Known,
                    Ok(None) => LookUpEnd::Unknown,
                    Err(error) if error.is_unanswered() => LookUpEnd::Unanswered,
                    Err(_) => LookUpEnd::Failed,
                });
            }
            answer
                .map(|known| known.map(KnownKey::bounded))
                .map_err(Arc::new)
        })
    }
}

pub(crate) struct TierCache {
    resolver: Arc<dyn DynResolver>,
    entries: Cache<Vec<u8>, Arc<Entry>>,
    settings: CacheSettings,
    clock: Arc<dyn Clock>,
    failures: FailureLog,
    budget: LookUpBudget,
    throttled: LogThrottle,
    look_ups: Arc<LookUps>,
}

/// How look-ups were answered.
#[derive(Default)]
pub(crate) struct LookUps {
    from_cache: AtomicU64,
    by_resolver: AtomicU64,
    failed: AtomicU64,
    /// Not begun, since the client's address had used up its budget.
    throttled: AtomicU64,
}

impl LookUps {
    /// Those since the last time, by the name of their result in metrics.
    #[cfg(feature = "metrics")]
    pub(crate) fn take(&self) -> [(&'static str, u64); 4] {
        [
            ("hit", &self.from_cache),
            ("miss", &self.by_resolver),
            ("error", &self.failed),
            ("throttled", &self.throttled),
        ]
        .map(|(result, count)| (result, count.swap(0, Ordering::Relaxed)))
    }
}

/// The caller with an API key, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved {
    /// `None` also if the key is not known because its look-up failed.
    pub(crate) caller: Option<KnownCaller>,
    /// This request waited in vain for a look-up, by the resolver's own timeout or by this cache's.
    pub(crate) is_unanswered: bool,
}

impl From<Option<KnownCaller>> for Resolved {
    fn from(caller: Option<KnownCaller>) -> Self {
        Self {
            caller,
            is_unanswered: false,
        }
    }
}

/// What a request does about a key that is not in the cache.
enum Reserved {
    LookUp {
        reservation: Reservation,
        /// What had ended when the request began to wait for other look-ups, if it did.
        waited_since: Option<Ended>,
    },
    /// Another request has looked the key up meanwhile, or is doing so.
    ByAnother(Arc<Entry>, Step),
    Nothing {
        /// The request has waited for other look-ups, none of which was answered.
        is_unanswered: bool,
    },
}

/// What a request does about its key.
enum Step {
    Use(Option<KnownCaller>),
    Wait(InFlight),
}

impl TierCache {
    pub(crate) fn new(
        resolver: impl TierResolver,
        settings: CacheSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            resolver: Arc::new(resolver),
            entries: Cache::new(settings.capacity),
            settings,
            failures: FailureLog::default(),
            budget: LookUpBudget::new(settings.quotas, clock.clone()),
            throttled: LogThrottle::new(clock.clone()),
            clock,
            look_ups: Arc::default(),
        }
    }

    /// Returns the caller with this key. Looks the key up if there is no answer yet, or if the answer
    /// is out of date and no other request is looking it up.
    ///
    /// A look-up of a key that is not known is charged to the client's address. If that has used up its
    /// budget, the key is not looked up and the caller is anonymous.
    pub(crate) async fn get(
        &self,
        key: ApiKey<'_>,
        address: impl FnOnce() -> ClientId,
    ) -> Resolved {
        if let Some((entry, step)) = self.step_without_reservation(key) {
            return self.take(key, &entry, step).await;
        }
        let address = address();
        let look_ups = self.budget.of(address);
        match self.reserve(key, &look_ups).await {
            Reserved::LookUp {
                reservation,
                waited_since,
            } => {
                let new = || Ok::<_, Infallible>(Arc::default());
                let Ok(entry) = self.entries.get_or_insert_with(key.as_bytes(), new);
                let step = self.step_with(key, &entry, reservation);
                let resolved = self.take(key, &entry, step).await;
                // If it has waited for others before, the look-up had only the rest of its time.
                let is_in_vain = |before: Ended| look_ups.ended().has_no_answer_since(before);
                Resolved {
                    is_unanswered: resolved.is_unanswered && waited_since.is_none_or(is_in_vain),
                    ..resolved
                }
            }
            Reserved::ByAnother(entry, step) => self.take(key, &entry, step).await,
            Reserved::Nothing { is_unanswered } => {
                self.look_ups.throttled.fetch_add(1, Ordering::Relaxed);
                self.log_throttled(address);
                Resolved {
                    caller: None,
                    is_unanswered,
                }
            }
        }
    }

    /// Reserves a look-up of this key. Waits while the address may get some of its budget back from
    /// look-ups in flight, for no longer than a look-up may take: many callers with known keys may come
    /// from one address at once.
    async fn reserve(&self, key: ApiKey<'_>, look_ups: &AddressLookUps) -> Reserved {
        let deadline = self.deadline();
        let before = look_ups.ended();
        let mut has_waited = false;
        let mut is_late = false;
        loop {
            let settled = look_ups.settled();
            match look_ups.reserve(deadline) {
                Ok(reservation) => {
                    return Reserved::LookUp {
                        reservation,
                        waited_since: has_waited.then_some(before),
                    };
                }
                Err(Unreserved::Exhausted) => {
                    look_ups.notify_next();
                    break;
                }
                Err(Unreserved::Busy) => {}
            }
            has_waited = true;
            if timeout_at(deadline, settled).await.is_err() {
                is_late = true;
                break;
            }
            if let Some((entry, step)) = self.step_without_reservation(key) {
                look_ups.notify_next();
                return Reserved::ByAnother(entry, step);
            }
        }
        let ended = look_ups.ended();
        Reserved::Nothing {
            // Look-ups whose clients went away are no reason to decide as during an outage.
            is_unanswered: ended.is_unanswered_since(before)
                || (is_late && ended.has_no_answer_since(before)),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.settings.timeout.min(LONGEST_TIMEOUT)
    }

    async fn take(&self, key: ApiKey<'_>, entry: &Entry, step: Step) -> Resolved {
        match step {
            Step::Use(caller) => {
                self.look_ups.from_cache.fetch_add(1, Ordering::Relaxed);
                caller.into()
            }
            Step::Wait(look_up) => self.wait(key, entry, look_up).await,
        }
    }

    /// Returns the caller with this key if that is cached, however old the answer is.
    pub(crate) fn cached(&self, key: ApiKey<'_>) -> Option<KnownCaller> {
        self.entries.get(key.as_bytes())?.last()
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn look_ups(&self) -> Arc<LookUps> {
        self.look_ups.clone()
    }

    /// Discards what is cached of a key, whose next look-up is charged to no address. A look-up that is
    /// in flight answers the requests that wait for it already, and no later ones.
    pub(crate) fn forget(&self, key: &[u8]) {
        let state = State {
            is_free: true,
            ..State::default()
        };
        let entry = Arc::new(Entry::new(state));
        self.entries.insert(key.to_vec(), entry);
    }

    fn log_throttled(&self, address: ClientId) {
        self.throttled.log(|left_out| {
            tracing::warn!(
                client = %address,
                left_out,
                "too many unknown API keys from one address: until its budget is refilled, new keys from there \
                 are not looked up, and their callers are anonymous; help: if it is a proxy's address, list it \
                 in RateLimiter::builder().trusted_proxies([…]); if one address may have that many keys, raise \
                 .unknown_keys_per_minute(…)"
            );
        });
    }

    /// Returns what a request does about its key, if that needs no reservation.
    fn step_without_reservation(&self, key: ApiKey<'_>) -> Option<(Arc<Entry>, Step)> {
        let entry = self.entries.get(key.as_bytes())?;
        let step = self.step(&entry, |state, now| {
            if state.needs_no_reservation(now) {
                return Some(self.begin(key, state, now, None));
            }
            // Look-ups of this known key were cancelled.
            let old = self.old_answer(state, now)?.caller.clone()?;
            Some(Step::Use(Some(old)))
        })?;
        Some((entry, step))
    }

    /// Returns what a request does about its key, for which it has reserved a look-up.
    fn step_with(&self, key: ApiKey<'_>, entry: &Entry, reservation: Reservation) -> Step {
        self.step(entry, |state, now| {
            let is_needed = !state.needs_no_reservation(now);
            self.begin(key, state, now, is_needed.then_some(reservation))
        })
    }

    /// Returns what a request does with what there is of a key, or else what `begin` returns.
    fn step<T: From<Step>>(&self, entry: &Entry, begin: impl FnOnce(&mut State, u64) -> T) -> T {
        // Before the lock, so that it is dropped after it: it may be the last reference to a future of
        // the application's.
        let in_flight;
        let mut state = entry.lock();
        let now = self.clock.now_micros();
        if let Some(answer) = &state.answer
            && answer.is_fresh(now)
        {
            return Step::Use(answer.caller.clone()).into();
        }
        in_flight = state.look_up.as_ref().and_then(LookUp::upgrade);
        if let Some(in_flight) = in_flight {
            // The request that began it may not be polling it. Until the deadline that is no reason to
            // wait for a request that has an old answer to use.
            let step = match self.old_answer(&state, now) {
                Some(old) if Instant::now() < in_flight.deadline => Step::Use(old.caller.clone()),
                _ => Step::Wait(in_flight),
            };
            return step.into();
        }
        begin(&mut state, now)
    }

    /// Returns the answer that is out of date, if it may be used in place of a look-up that has begun. It
    /// may not for longer than one look-up takes: else a client could keep it by cancelling them all.
    fn old_answer<'a>(&self, state: &'a State, now: u64) -> Option<&'a Answer> {
        let time = self.settings.timeout.max(FAILED_FOR);
        let is_usable = |attempts: Attempts| is_within(time, attempts.first_at, now);
        let is_usable = state.attempts.is_some_and(is_usable);
        state.answer.as_ref().filter(|_| is_usable)
    }

    /// Begins a look-up, with its reservation if it needs one.
    fn begin(
        &self,
        key: ApiKey<'_>,
        state: &mut State,
        now: u64,
        reservation: Option<Reservation>,
    ) -> Step {
        let deadline = match &reservation {
            Some(reservation) => reservation.deadline(),
            None => self.deadline(),
        };
        let attempts = state.attempts.get_or_insert_with(|| Attempts::new(now));
        attempts.add(now);
        state.begun += 1;
        let id = state.begun;
        let outcome = self
            .resolver
            .clone()
            .look_up(key.as_bytes().to_vec(), reservation.map(Reservation::begun))
            .shared();
        state.look_up = outcome.downgrade().map(|outcome| LookUp {
            id,
            outcome,
            deadline,
        });
        Step::Wait(InFlight {
            id,
            outcome,
            deadline,
        })
    }

    /// Waits for a look-up until its deadline, with a timer of this request's own: that of another may
    /// belong to a runtime that does not run.
    async fn wait(&self, key: ApiKey<'_>, entry: &Entry, look_up: InFlight) -> Resolved {
        // A clone, so that the look-up is there for others until its end is recorded.
        let outcome = timeout_at(look_up.deadline, look_up.outcome.clone()).await;
        let is_late = outcome.is_err();
        let outcome = outcome.unwrap_or_else(|_| {
            let timeout = self.settings.timeout;
            let error = ResolveError::new(format!("no answer within {timeout:?}"));
            Err(Arc::new(error))
        });
        let outcome = outcome.map(|known| {
            known.map(|known| KnownCaller {
                client: ClientId::api_key(key.as_bytes()),
                key: known,
            })
        });
        let is_recorded = self.record(entry, look_up.id, outcome.as_ref().ok());
        let count = match &outcome {
            _ if !is_recorded => &self.look_ups.from_cache,
            Ok(_) => {
                self.failures.succeeded(self.clock.now_micros());
                &self.look_ups.by_resolver
            }
            Err(error) => {
                if !error.is_logged() {
                    self.failures.failed(error, self.clock.now_micros());
                }
                &self.look_ups.failed
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Ok(caller) => caller.into(),
            Err(error) => Resolved {
                caller: entry.last(),
                is_unanswered: is_late || error.is_unanswered(),
            },
        }
    }

    /// Records the answer of a look-up, or that it failed. Returns false if that was recorded before.
    fn record(&self, entry: &Entry, id: u64, answer: Option<&Option<KnownCaller>>) -> bool {
        let mut state = entry.lock();
        if state.look_up.take_if(|look_up| look_up.id == id).is_none() {
            return false;
        }
        let (caller, fresh_for) = match answer {
            Some(Some(caller)) => (Some(caller.clone()), self.settings.known_for),
            Some(None) => (None, self.settings.unknown_for),
            // While look-ups fail the last answer is used.
            None => {
                let last = state.answer.take();
                (last.and_then(|answer| answer.caller), FAILED_FOR)
            }
        };
        state.is_free = false;
        state.attempts = None;
        state.answer = Some(Answer {
            caller,
            recorded_at: self.clock.now_micros(),
            fresh_for: micros(fresh_for),
        });
        true
    }
}
