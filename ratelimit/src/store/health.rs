//! When a store could be asked and when it could not.

use std::{collections::VecDeque, time::SystemTime};

use super::StoreError;

/// So many changes are remembered.
const KEPT: usize = 50;

/// Whether a limiter's store can be asked, and since when; see
/// [`RateLimiter::store_health`](crate::RateLimiter::store_health).
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
}

impl StoreChange {
    /// Returns the end of an outage or, with a reason, the beginning of one.
    pub fn new(at: SystemTime, reason: Option<String>) -> Self {
        Self {
            at,
            is_up: reason.is_none(),
            reason,
        }
    }
}

pub(super) struct Health {
    began: SystemTime,
    outages: u64,
    changes: VecDeque<StoreChange>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            began: SystemTime::now(),
            outages: 0,
            changes: VecDeque::new(),
        }
    }

    pub(super) fn went_down(&mut self, error: &StoreError) {
        self.outages += 1;
        self.change(Some(error.to_string()));
    }

    pub(super) fn came_up(&mut self) {
        self.change(None);
    }

    fn change(&mut self, reason: Option<String>) {
        if self.changes.len() == KEPT {
            self.changes.pop_front();
        }
        self.changes
            .push_back(StoreChange::new(SystemTime::now(), reason));
    }

    pub(super) fn seen(&self, is_up: bool) -> StoreHealth {
        StoreHealth {
            is_up,
            since: self.changes.back().map_or(self.began, |last| last.at),
            outages: self.outages,
            changes: self.changes.iter().cloned().collect(),
        }
    }
}
