//! When a store could be asked and when it could not.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
    time::SystemTime,
};

use super::StoreError;
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicUsize, Ordering},
};

/// So many changes are remembered.
const KEPT: usize = 50;

/// Whether a limiter's store can be asked, and since when; see
/// [`RateLimiter::store_health`](crate::RateLimiter::store_health).
///
/// A Redis Cluster has an outage when one of its shards has one. The others are used all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreHealth {
    /// Whether it is asked. During an outage it is not, until a probe has had an answer.
    pub is_up: bool,
    /// Since when.
    pub since: SystemTime,
    /// How many outages there were.
    pub outages: u64,
    /// The last changes, oldest first.
    pub changes: Vec<StoreChange>,
}

impl StoreHealth {
    /// Returns the health of a store that has been available, or unavailable, since then, without a
    /// history. For [stores with a circuit breaker of their own](crate::Store::health), which then set
    /// the other fields.
    pub fn new(is_up: bool, since: SystemTime) -> Self {
        Self {
            is_up,
            since,
            outages: 0,
            changes: Vec::new(),
        }
    }
}

/// The beginning or the end of an outage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreChange {
    /// When it was seen.
    pub at: SystemTime,
    /// Whether the store came up, or went down.
    pub is_up: bool,
    /// Why it went down.
    pub reason: Option<String>,
    /// Host and port of the master of the shard that it was, in a Redis Cluster.
    pub server: Option<String>,
}

impl StoreChange {
    /// Returns the end of an outage or, with a reason, the beginning of one.
    pub fn new(at: SystemTime, reason: Option<String>) -> Self {
        Self {
            at,
            is_up: reason.is_none(),
            reason,
            server: None,
        }
    }
}

/// The record of one store's outages. Clones share it: each shard of a store has one.
#[derive(Clone)]
pub(crate) struct HealthRecord(Arc<Inner>);

struct Inner {
    /// How many shards are not asked.
    unavailable: AtomicUsize,
    log: Mutex<Log>,
}

struct Log {
    /// When the store as a whole went down or came up last.
    since: SystemTime,
    down: usize,
    outages: u64,
    changes: VecDeque<StoreChange>,
}

impl HealthRecord {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            unavailable: AtomicUsize::new(0),
            log: Mutex::new(Log {
                since: SystemTime::now(),
                down: 0,
                outages: 0,
                changes: VecDeque::new(),
            }),
        }))
    }

    /// Counts a shard that is not asked from now on.
    pub(super) fn add_unavailable(&self) {
        self.0.unavailable.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a shard that is asked again.
    pub(super) fn remove_unavailable(&self) {
        self.0.unavailable.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns whether all shards are asked.
    pub(super) fn is_up(&self) -> bool {
        self.0.unavailable.load(Ordering::Relaxed) == 0
    }

    /// Records the beginning of an outage.
    pub(super) fn went_down(&self, error: &StoreError, server: Option<String>) {
        let mut log = self.log();
        log.outages += 1;
        log.down += 1;
        let is_first = log.down == 1;
        log.record(Some(error.to_string()), server, is_first);
    }

    /// Records the end of an outage.
    pub(super) fn came_up(&self, server: Option<String>) {
        let mut log = self.log();
        log.down = log.down.saturating_sub(1);
        let is_last = log.down == 0;
        log.record(None, server, is_last);
    }

    /// Returns the health of the store.
    pub(super) fn health(&self) -> StoreHealth {
        let log = self.log();
        StoreHealth {
            is_up: self.is_up(),
            since: log.since,
            outages: log.outages,
            changes: log.changes.iter().cloned().collect(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn record(&mut self, reason: Option<String>, server: Option<String>, is_of_all: bool) {
        let at = SystemTime::now();
        if is_of_all {
            self.since = at;
        }
        if self.changes.len() == KEPT {
            self.changes.pop_front();
        }
        self.changes.push_back(StoreChange {
            server,
            ..StoreChange::new(at, reason)
        });
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_up_when_all_its_shards_are() {
        let record = HealthRecord::new();
        let shard = |n: u8| Some(format!("redis-{n}:6379"));
        assert!(record.health().is_up);
        record.add_unavailable();
        record.went_down(&StoreError::new("gone"), shard(1));
        let began = record.health().since;
        record.add_unavailable();
        record.went_down(&StoreError::new("gone"), shard(2));
        record.remove_unavailable();
        record.came_up(shard(1));
        let health = record.health();
        assert!(!health.is_up);
        assert_eq!((health.since, health.outages), (began, 2));
        record.remove_unavailable();
        record.came_up(shard(2));
        let health = record.health();
        assert!(health.is_up);
        let last = health.changes.last().expect("a change");
        assert_eq!((health.since, &last.server), (last.at, &shard(2)));
        assert_eq!(health.changes.len(), 4);
    }
}
