//! What the processes that share a store tell each other besides their buckets.

use std::{
    collections::{BTreeMap, HashSet},
    convert::Infallible,
    future::Future,
    time::{Duration, SystemTime},
};

use super::StoreError;
use crate::{
    client::ClientId,
    observe::{Figures, Latency},
};

/// The part of a store through which all processes that use it share their stats and the bypass.
///
/// A store returns its implementation from [`Store::fleet_store`](super::Store::fleet_store). Each
/// limiter with the store then follows a bypass that another process starts or ends within a second,
/// and [`RateLimiter::fleet_figures`](crate::RateLimiter::fleet_figures) returns the stats of all
/// processes.
///
/// A failure does not open the circuit breaker of the limiter: buckets may be available while these
/// values are not. The first failure is logged. Nothing is called while the breaker is open.
pub trait FleetStore: Send + Sync + 'static {
    /// Adds the stats of one process since its last report, which cover about two seconds.
    ///
    /// # Errors
    ///
    /// Returns an error if the report cannot be stored. It is not sent again.
    fn publish(&self, report: &FleetReport) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the stats of all processes for the last minute. [`FleetReport::sum`] computes them
    /// from the reports of that minute.
    ///
    /// # Errors
    ///
    /// Returns an error if the store is unavailable.
    fn figures(&self) -> impl Future<Output = Result<Figures, StoreError>> + Send;

    /// Returns the bypass that is active, if there is one. Called twice a second.
    ///
    /// # Errors
    ///
    /// Returns an error if the store is unavailable.
    fn bypass(&self) -> impl Future<Output = Result<Option<FleetBypass>, StoreError>> + Send;

    /// Replaces the active bypass. The store removes it by itself when
    /// [`remaining`](FleetBypass::remaining) has passed. `None` removes it at once.
    ///
    /// # Errors
    ///
    /// Returns an error if the store is unavailable. The limiter tries again until it succeeds.
    fn set_bypass(
        &self,
        bypass: Option<&FleetBypass>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The stats of one process since its last report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetReport {
    /// Requests under any policy. A request under two policies counts twice.
    pub requests: u64,
    /// Rejected requests.
    pub limited: u64,
    /// Durations of checks in microseconds, each with the number of checks that took that long.
    pub durations: Vec<(u64, u64)>,
    /// Clients that were rejected, each once, and at most 5,000 of them.
    pub clients: Vec<ClientId>,
}

impl FleetReport {
    /// Returns the stats of all processes from the reports of the last minute.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ratelimit::FleetReport;
    ///
    /// let mut one = FleetReport::default();
    /// one.requests = 3;
    /// one.durations = vec![(100, 2), (900, 1)];
    /// let all = FleetReport::sum(&[one.clone(), one]);
    /// assert_eq!(all.requests_per_minute, 6);
    /// assert_eq!(all.check.map(|check| check.p50), Some(Duration::from_micros(100)));
    /// ```
    pub fn sum<'a>(reports: impl IntoIterator<Item = &'a Self>) -> Figures {
        let (mut requests, mut limited) = (0_u64, 0_u64);
        let mut clients = HashSet::<ClientId>::new();
        let mut durations = BTreeMap::new();
        for report in reports {
            requests = requests.saturating_add(report.requests);
            limited = limited.saturating_add(report.limited);
            clients.extend(&report.clients);
            for &(micros, count) in &report.durations {
                let sum: &mut u64 = durations.entry(micros).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        Figures {
            requests_per_minute: requests,
            limited_per_minute: limited,
            limited_clients: clients.len() as u64,
            check: latency(&durations),
        }
    }
}

/// The percentiles of durations in microseconds with their counts; `None` without any.
pub(super) fn latency(durations: &BTreeMap<u64, u64>) -> Option<Latency> {
    let all: u128 = durations.values().copied().map(u128::from).sum();
    let percentile = |percent: u128| {
        let rank = (all * percent).div_ceil(100).max(1);
        let mut before = 0;
        let reached = durations.iter().find(|&(_, &count)| {
            before += u128::from(count);
            before >= rank
        });
        reached.map(|(&micros, _)| Duration::from_micros(micros))
    };
    Some(Latency::new(percentile(50)?, percentile(99)?))
}

/// A [bypass](crate::Bypass) as a store keeps it for all processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetBypass {
    /// The reason, as given to [`RateLimiter::start_bypass`](crate::RateLimiter::start_bypass). Of one
    /// that is longer than 500 bytes the limiter uses as much.
    pub reason: String,
    /// The time at which it was started, in whole milliseconds. With the reason it identifies the
    /// bypass, so a store returns it unchanged.
    pub since: SystemTime,
    /// The time after which it ends. A duration, since the clocks of two machines differ. The limiter
    /// ends it 24 hours after [`since`](Self::since) at the latest.
    pub remaining: Duration,
}

/// The fleet store of a store that has none.
impl FleetStore for Infallible {
    async fn publish(&self, _: &FleetReport) -> Result<(), StoreError> {
        match *self {}
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        match *self {}
    }

    async fn bypass(&self) -> Result<Option<FleetBypass>, StoreError> {
        match *self {}
    }

    async fn set_bypass(&self, _: Option<&FleetBypass>) -> Result<(), StoreError> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_counts_a_client_of_two_reports_once_and_weighs_durations() {
        let client = |n: u8| ClientId::ip([10, 0, 0, n].into());
        let one = FleetReport {
            requests: 100,
            limited: 2,
            durations: vec![(100, 97), (5_000, 1)],
            clients: vec![client(1), client(2)],
        };
        let other = FleetReport {
            requests: u64::MAX,
            limited: 1,
            durations: vec![(9_000, 2)],
            clients: vec![client(2)],
        };
        let all = FleetReport::sum([&one, &other]);
        assert_eq!(all.requests_per_minute, u64::MAX);
        assert_eq!((all.limited_per_minute, all.limited_clients), (3, 2));
        let micros = Duration::from_micros;
        assert_eq!(all.check, Some(Latency::new(micros(100), micros(9_000))));
        assert_eq!(FleetReport::sum([]).check, None);
    }
}
