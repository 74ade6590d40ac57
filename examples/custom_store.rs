//! A store of one's own: `cargo run --example custom_store`.
//!
//! A store has to do two things. It decides about a request as one atomic step, here because all of
//! it is under one lock; and it stays bounded, whoever calls. The arithmetic is not its business:
//! that is `State`'s, whatever the algorithm.
//!
//! Beyond that it states what it can do, and gets what `MemoryStore` and `RedisStore` get: this one is
//! in the process, so it needs neither timeouts nor a fallback; it decides without waiting; and it
//! keeps the tiers of API keys.

use std::{
    collections::HashMap,
    error::Error,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, routing::get};
use ratelimit::{
    ApiKey, Bucket, Charge, Clock, Decision, KnownKey, MonotonicClock, RateLimiter, ResolveError,
    Store, StoreError, SyncCheck, TierResolver, TierStore, algorithm::State, rate_limit,
};

/// Enough for an example, and few enough to see what happens when it is full.
const CAPACITY: usize = 100;

struct OneBigLock {
    clock: MonotonicClock,
    states: Mutex<HashMap<Bucket, State>>,
    tiers: Tiers,
}

impl OneBigLock {
    fn new() -> Self {
        Self {
            clock: MonotonicClock::new(),
            states: Mutex::default(),
            tiers: Tiers::default(),
        }
    }

    /// Does something to the states, at a time. That is read under the lock, so that it does not
    /// step back from one decision to the next.
    fn with<T>(
        &self,
        act: impl FnOnce(&mut HashMap<Bucket, State>, u64) -> T,
    ) -> Result<T, StoreError> {
        let states = self.states.lock();
        let mut states = states.map_err(|_| StoreError::new("it panicked while it was locked"))?;
        Ok(act(&mut states, self.clock.now_micros()))
    }
}

impl OneBigLock {
    fn decide(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        self.with(|states, now| {
            // Looked at first, so that either all buckets are charged or none.
            let seen: Vec<Decision> = charges
                .iter()
                .map(|Charge { bucket, cost, .. }| {
                    let unseen = State::new(bucket.algorithm());
                    let state = states.get(bucket).unwrap_or(&unseen);
                    state.peek(&bucket.quota(), *cost, now)
                })
                .collect();
            let denies = |(charge, seen): (&Charge, &Decision)| charge.enforced && !seen.allowed;
            if charges.iter().zip(&seen).any(denies) {
                return seen;
            }
            charges
                .iter()
                .map(|Charge { bucket, cost, .. }| {
                    state(states, bucket, now).check(&bucket.quota(), *cost, now)
                })
                .collect()
        })
    }
}

impl Store for OneBigLock {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        self.decide(charges)
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.with(|states, now| state(states, bucket, now).charge(&bucket.quota(), cost, now))
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.with(|states, now| {
            state(states, bucket, now).refund(&bucket.quota(), cost, taken.at_micros, now)
        })
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.with(|states, _| drop(states.remove(bucket)))
    }

    // From here on: what it can do, each of which has a default.

    fn is_in_process(&self) -> bool {
        true
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        Some(Arc::new(self.clock.clone()))
    }

    fn sync_check(&self) -> Option<&impl SyncCheck> {
        Some(self)
    }

    fn tier_store(&self) -> Option<impl TierStore> {
        Some(self.tiers.clone())
    }

    fn name(&self) -> &'static str {
        "lock"
    }
}

/// Called before `check_all`, which then is called only if there is no answer here. There is none
/// after a panic: `check_all` returns the error.
impl SyncCheck for OneBigLock {
    fn try_check_all(&self, charges: &[Charge]) -> Option<Vec<Decision>> {
        self.decide(charges).ok()
    }

    /// Nearly every request has one bucket, for which neither list is needed.
    fn try_check(&self, bucket: &Bucket, cost: u32) -> Option<Decision> {
        let check =
            self.with(|states, now| state(states, bucket, now).check(&bucket.quota(), cost, now));
        check.ok()
    }
}

/// The tiers of API keys. Its clones are the same table.
#[derive(Clone, Default)]
struct Tiers(Arc<Mutex<HashMap<Vec<u8>, String>>>);

impl TierResolver for Tiers {
    async fn resolve(&self, key: ApiKey<'_>) -> Result<Option<KnownKey>, ResolveError> {
        let tiers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tiers.get(key.as_bytes()).cloned().map(KnownKey::on_tier))
    }
}

impl TierStore for Tiers {
    async fn set_tier(&self, api_key: &str, tier: Option<&str>) -> Result<(), StoreError> {
        let mut tiers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = api_key.as_bytes().to_vec();
        match tier {
            Some(tier) => tiers.insert(key, tier.to_owned()),
            None => tiers.remove(&key),
        };
        Ok(())
    }
}

/// The state of a bucket, for which room is made if it is new.
fn state<'a>(states: &'a mut HashMap<Bucket, State>, bucket: &Bucket, now: u64) -> &'a mut State {
    if states.len() >= CAPACITY && !states.contains_key(bucket) {
        make_room(states, now);
    }
    let unseen = || State::new(bucket.algorithm());
    states.entry(*bucket).or_insert_with(unseen)
}

/// Removes what has expired or, if nothing has, the bucket with the largest share of its quota left:
/// its client gains the least. It looks at all of them, which a larger store would not; see how
/// `MemoryStore` does it.
fn make_room(states: &mut HashMap<Bucket, State>, now: u64) {
    states.retain(|_, state| state.expires_at_micros() > now);
    if states.len() >= CAPACITY {
        let share_left = |bucket: &Bucket, state: &State| {
            let quota = bucket.quota();
            let left = u64::from(state.peek(&quota, 0, now).remaining) << 32;
            left / u64::from(bucket.algorithm().capacity(&quota))
        };
        let fullest = states
            .iter()
            .max_by_key(|(bucket, state)| share_left(bucket, state));
        if let Some(fullest) = fullest.map(|(bucket, _)| *bucket) {
            states.remove(&fullest);
        }
    }
}

#[rate_limit(limit = 5, per = "1m", key = path("city"))]
async fn weather() -> &'static str {
    "fine\n"
}

#[rate_limit(tier_header = "X-API-Key", free = 1, pro = 3, per = "1m")]
async fn forecast() -> &'static str {
    "fine, too\n"
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = ratelimit_examples::listen().await?;
    let limiter = RateLimiter::builder().store(OneBigLock::new()).build()?;
    // In the store, as an operator does it.
    limiter.set_tier("k-alice", Some("pro")).await?;
    limiter.install()?;

    let app = Router::new()
        .route("/weather/{city}", get(weather))
        .route("/forecast", get(forecast));

    ratelimit_examples::announce(&listener, "in a store of its own", TRY)?;
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

const TRY: &str = r"
  for i in 1 2 3 4 5 6; do curl -i '{url}/weather/paris'; done   # the sixth is a 429
  curl -i '{url}/weather/rome'                                   # another bucket
  curl -s '{url}/weather/[1-99]' >/dev/null                      # more than it holds: one that has used little is forgotten
  curl -i '{url}/weather/paris'                                  # and not this one, which is still a 429
  curl -i -H 'X-API-Key: k-alice' '{url}/forecast'               # on the tier pro: X-RateLimit-Limit: 3
  curl -i '{url}/forecast'                                       # and on free: 1
";
