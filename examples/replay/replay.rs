//! Requests through policies, in the time of the log.

use std::time::Duration;

use ratelimit::{Bucket, ClientId, Key, ManualClock, MemoryStore, Policy, Store, StoreError, Tier};

use super::{
    clients::{self, Clients},
    input::Request,
    series::Series,
    spec::Spec,
};

const MINUTE: u64 = 60_000_000;

/// How many buckets a store may hold on each tier. It divides them among parts that fill unevenly:
/// with room for twice as many as there are clients known, none is forgotten while all of them are.
pub(crate) const BUCKETS: usize = 2 * clients::MOST;

/// Policies side by side, each with a store of its own on the one clock of the log.
pub(crate) struct Replay {
    clock: ManualClock,
    pub(crate) trials: Vec<Trial>,
    pub(crate) clients: Clients,
    pub(crate) requests: u64,
    /// The times of the first and the last request, in microseconds since 1970.
    pub(crate) times: Option<(u64, u64)>,
    /// A request had a tier.
    pub(crate) tiers_seen: bool,
    /// All times so far are whole seconds.
    pub(crate) in_seconds: bool,
}

/// A policy, and what it did.
pub(crate) struct Trial {
    spec: Spec,
    store: MemoryStore,
    pub(crate) limited: u64,
    /// When it first and last limited a request.
    pub(crate) times: Option<(u64, u64)>,
    minute: Minute,
    /// The minute in which it limited the most.
    pub(crate) worst: Minute,
    pub(crate) series: Series,
}

/// A minute of the clock.
#[derive(Clone, Copy, Default)]
pub(crate) struct Minute {
    /// In microseconds since 1970.
    pub(crate) begins: u64,
    pub(crate) limited: u64,
}

impl Replay {
    pub(crate) fn new(specs: Vec<Spec>) -> Self {
        let clock = ManualClock::new();
        let trial = |spec: Spec| Trial {
            spec,
            store: MemoryStore::new()
                .with_capacity(BUCKETS * spec.policy.tiers().len())
                .with_clock(clock.clone()),
            limited: 0,
            times: None,
            minute: Minute::default(),
            worst: Minute::default(),
            series: Series::new(),
        };
        Self {
            trials: specs.into_iter().map(trial).collect(),
            clients: Clients::new(clients::MOST),
            clock,
            requests: 0,
            times: None,
            tiers_seen: false,
            in_seconds: true,
        }
    }

    /// The names of all tiers that there are.
    pub(crate) fn tiers(&self) -> Vec<&'static str> {
        let policies = self.trials.iter().map(Trial::policy);
        policies.flat_map(Policy::tiers).map(Tier::name).collect()
    }

    /// Has each policy decide about a request, which is not before the one that was before it.
    ///
    /// # Errors
    ///
    /// A store took no decision, which one in memory always does.
    pub(crate) async fn request(&mut self, request: &Request) -> Result<(), StoreError> {
        let at = request.at;
        self.clock.set(Duration::from_micros(at));
        self.requests += 1;
        self.times = Some(until(self.times, at));
        self.tiers_seen |= !request.tier.is_empty();
        self.in_seconds &= at.is_multiple_of(1_000_000);

        let client = self.clients.seen(request.client);
        let policies = self.trials.len();
        for (policy, trial) in self.trials.iter_mut().enumerate() {
            let limited = trial.limits(request).await?;
            trial.series.add(at, limited);
            if limited {
                trial.count(at);
                client.was_limited(policy, policies, at);
            }
        }
        Ok(())
    }
}

impl Trial {
    pub(crate) fn policy(&self) -> &'static Policy {
        self.spec.policy
    }

    async fn limits(&self, request: &Request) -> Result<bool, StoreError> {
        let Spec { policy, cost } = self.spec;
        let client = match policy.key() {
            Key::Global => ClientId::EVERYBODY,
            _ => request.client,
        };
        match Bucket::new(policy, policy.tier(request.tier), client) {
            Some(bucket) => Ok(!self.store.check(&bucket, cost).await?.allowed),
            None => Ok(false),
        }
    }

    fn count(&mut self, at: u64) {
        self.limited += 1;
        self.times = Some(until(self.times, at));
        let begins = at - at % MINUTE;
        if begins != self.minute.begins {
            self.minute = Minute { begins, limited: 0 };
        }
        self.minute.limited += 1;
        if self.minute.limited > self.worst.limited {
            self.worst = self.minute;
        }
    }
}

/// From the first time until this one.
fn until(times: Option<(u64, u64)>, at: u64) -> (u64, u64) {
    (times.map_or(at, |(first, _)| first), at)
}
