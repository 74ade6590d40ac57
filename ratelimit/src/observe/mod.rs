//! What a limiter has decided lately: counts, the time that checks take, and who was turned away.
//!
//! The limiter tells an [`Observer`] of each decision, and a clock's tick once a second makes of that
//! a history, rolling figures and what the `metrics` facade is told. It asks nobody, and what it
//! keeps is bounded: by the number of policies and tiers, and not by that of clients.

#[cfg(all(test, feature = "metrics"))]
mod broken_recorder;
mod counts;
mod durations;
#[cfg(feature = "metrics")]
pub(crate) mod export;
mod figures;
mod history;
mod limited;
mod wrong_credentials;

use std::{
    sync::PoisonError,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

#[cfg(all(test, feature = "metrics"))]
pub(crate) use self::broken_recorder::BrokenRecorder;
use self::history::Sum;
use self::{
    counts::Counts, durations::Durations, history::History, limited::LimitedClients,
    wrong_credentials::WrongCredentialCounts,
};
pub(crate) use self::{counts::Outcome, limited::Limited};
pub use self::{
    counts::Totals, durations::Latency, figures::Figures, history::Second,
    wrong_credentials::WrongCredentials,
};
use crate::{
    client::ClientId,
    policy::{Policy, Tier},
    sync::{Mutex, MutexGuard},
};

/// The figures of one limiter in this process.
pub(crate) struct Observer {
    counts: Counts,
    limited: LimitedClients,
    durations: Mutex<Durations>,
    history: Mutex<History>,
    pub(crate) wrong_credentials: WrongCredentialCounts,
    #[cfg(feature = "metrics")]
    exported: Mutex<export::Exported>,
}

/// One of so many checks is timed where a check takes less than reading the clock twice.
const TIMED: u32 = 32;

impl Observer {
    pub(crate) fn new() -> Self {
        Self::begin(unix_seconds())
    }

    fn begin(now: u64) -> Self {
        Self {
            counts: Counts::new(),
            limited: LimitedClients::new(now),
            durations: Mutex::new(Durations::new()),
            history: Mutex::new(History::begin(now)),
            wrong_credentials: WrongCredentialCounts::default(),
            #[cfg(feature = "metrics")]
            exported: Mutex::default(),
        }
    }

    /// Counts a request under one of its policies.
    pub(crate) fn count(&self, policy: &'static Policy, tier: &'static Tier, outcome: Outcome) {
        self.counts.add(policy, tier, outcome);
    }

    /// A client was turned away.
    pub(crate) fn turned_away(&self, client: ClientId) {
        self.limited.note(client);
    }

    /// The beginning of a check, if it is one of those that are timed.
    pub(crate) fn begin_one_of_many() -> Option<Instant> {
        counts::is_one_in(TIMED).then(Instant::now)
    }

    /// A check that began then has been decided.
    pub(crate) fn took(&self, began: Instant) {
        let time = began.elapsed();
        lock(&self.durations).add(time);
    }

    /// A second is over.
    pub(crate) fn tick(&self) {
        self.tick_at(unix_seconds());
    }

    fn tick_at(&self, now: u64) {
        self.limited.turn(now);
        let latency = lock(&self.durations).turn(now);
        lock(&self.history).add(now, self.counts.by_policy(), latency);
    }

    /// Exports to the `metrics` facade what has come since the last time, and the times of the second
    /// that is about to end. The application's recorder is called without a lock that a request needs.
    #[cfg(feature = "metrics")]
    pub(crate) fn export(&self) {
        let second = lock(&self.durations).of_this_second().clone();
        export::durations(&second);
        let mut exported = lock(&self.exported);
        exported.counts(self.counts.all());
        exported.wrong_credentials(self.wrong_credentials.read());
        drop(exported);
        export::limited_clients(self.limited.unique());
    }

    /// The last minute's figures.
    pub(crate) fn figures(&self) -> Figures {
        let now = self.counts.by_policy();
        let minute = lock(&self.history).last_minute(unix_seconds(), &now);
        let latency = lock(&self.durations).last_minute();
        Figures {
            requests_per_minute: minute.requests,
            limited_per_minute: minute.limited,
            limited_clients: self.limited.unique(),
            check: latency,
        }
    }

    /// All requests, and those that were turned away, since the limiter was made.
    pub(crate) fn sums(&self) -> (u64, u64) {
        let sum = Sum::of(&self.counts.by_policy());
        (sum.requests, sum.limited)
    }

    /// Microseconds and how many checks took so long, since this was asked last.
    pub(crate) fn untold_durations(&self) -> Vec<(u64, u64)> {
        lock(&self.durations).take_untold()
    }

    /// Who was turned away since this was asked last: of many, some.
    pub(crate) fn untold_clients(&self) -> Vec<ClientId> {
        self.limited.take_untold().into_iter().collect()
    }

    /// What has happened under each policy since the limiter was made.
    pub(crate) fn totals(&self) -> Vec<(&'static str, Totals)> {
        self.counts.by_policy()
    }

    /// The seconds of the last five minutes that ended after `since`.
    pub(crate) fn history_after(&self, since: u64) -> Vec<Second> {
        lock(&self.history).after(since)
    }

    /// Those who were turned away most in the last five minutes.
    pub(crate) fn most_limited(&self, count: usize) -> Vec<Limited> {
        self.limited.most(count)
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

/// A place among so many, taken in turn.
fn index(turn: u64, places: usize) -> usize {
    usize::try_from(turn % places as u64).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, shuttle))]
mod models;
