//! A store of one's own: `cargo run --example custom_store`.
//!
//! A store has to do two things. It decides about a request as one atomic step, here because all of
//! it is under one lock; and it stays bounded, whoever calls. The arithmetic is not its business:
//! that is `State`'s, whatever the algorithm.

use std::{collections::HashMap, error::Error, net::SocketAddr, process::ExitCode, sync::Mutex};

use axum::{Router, routing::get};
use ratelimit::{
    Bucket, Charge, Clock, Decision, MonotonicClock, RateLimiter, Store, StoreError,
    algorithm::State, rate_limit,
};

/// Enough for an example, and few enough to see what happens when it is full.
const CAPACITY: usize = 100;

struct OneBigLock {
    clock: MonotonicClock,
    states: Mutex<HashMap<Bucket, State>>,
}

impl OneBigLock {
    fn new() -> Self {
        Self {
            clock: MonotonicClock::new(),
            states: Mutex::default(),
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

impl Store for OneBigLock {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
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
}

/// The state of a bucket, for which room is made if it is new.
fn state<'a>(states: &'a mut HashMap<Bucket, State>, bucket: &Bucket, now: u64) -> &'a mut State {
    if states.len() >= CAPACITY && !states.contains_key(bucket) {
        make_room(states, now);
    }
    let unseen = || State::new(bucket.algorithm());
    states.entry(*bucket).or_insert_with(unseen)
}

/// Forgets what has expired or, where nothing has, the one that does so first: its client gains the
/// least. It looks at all of them, which a larger store would not; see how `MemoryStore` does it.
fn make_room(states: &mut HashMap<Bucket, State>, now: u64) {
    states.retain(|_, state| state.expires_at_micros() > now);
    if states.len() >= CAPACITY {
        let first = states
            .iter()
            .min_by_key(|(_, state)| state.expires_at_micros());
        if let Some(first) = first.map(|(bucket, _)| *bucket) {
            states.remove(&first);
        }
    }
}

#[rate_limit(limit = 5, per = "1m", key = path("city"))]
async fn weather() -> &'static str {
    "fine\n"
}

#[tokio::main]
async fn main() -> ExitCode {
    ratelimit_examples::run(serve()).await
}

async fn serve() -> Result<(), Box<dyn Error>> {
    RateLimiter::builder()
        .store(OneBigLock::new())
        .build()?
        .install()?;

    let app = Router::new().route("/weather/{city}", get(weather));

    let listener = ratelimit_examples::listen("in a store of its own", TRY).await?;
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
  curl -s '{url}/weather/[1-99]' >/dev/null                      # so many that the oldest is forgotten
  curl -i '{url}/weather/paris'                                  # and begins again
";
