//! A task that exchanges stats and the bypass with the other processes on the same store.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::runtime::Handle;

use super::{
    Bypass, Inner, RateLimiter,
    bypass::{LONGEST, LONGEST_REASON},
    notice::Notice,
};
use crate::store::{Fleet as SharedFleet, FleetBypass, FleetReport, StoreError};

/// Twice a second, so that all have followed a switch within one.
const PERIOD: Duration = Duration::from_millis(500);

/// The figures go out each time that so many periods have passed.
const PERIODS_TO_A_REPORT: u32 = 4;

/// What a limiter knows of it.
#[derive(Default)]
pub(super) struct Fleet {
    has_task: AtomicBool,
    /// What the others have been told: requests, and those that were turned away.
    told: Mutex<(u64, u64)>,
    stats_failure: Notice,
    bypass_failure: Notice,
}

impl RateLimiter {
    /// Begins to, where that has not begun or has ended with its runtime.
    pub(super) fn keep_in_touch(&self) {
        let fleet = &self.0.fleet;
        if self.0.store.fleet().is_none() || fleet.has_task.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !fleet.has_task.swap(true, Ordering::Relaxed) {
            runtime.spawn(stay_in_touch(Task(Arc::downgrade(&self.0))));
        }
    }

    /// Tells the others of a bypass that was started or ended here, if they do not know.
    pub(super) async fn tell_of_bypass(&self, shared: SharedFleet<'_>) -> Result<(), StoreError> {
        let write = async |bypass: Option<Bypass>| {
            let bypass = bypass.map(|bypass| FleetBypass {
                remaining: bypass
                    .until
                    .duration_since(SystemTime::now())
                    .unwrap_or_default(),
                reason: bypass.reason,
                since: bypass.since,
            });
            shared.set_bypass(bypass.as_ref()).await
        };
        self.0.watch.bypass.tell(write).await
    }

    async fn follow_bypass(&self, shared: SharedFleet<'_>) -> Result<(), StoreError> {
        self.tell_of_bypass(shared).await?;
        let read = async {
            match shared.bypass().await? {
                Some(found) => bounded(found, SystemTime::now()),
                None => Ok(None),
            }
        };
        self.0.watch.bypass.follow(read, &*self.0.clock).await
    }

    async fn report_to(&self, shared: SharedFleet<'_>) -> Result<(), StoreError> {
        let report = self.new_report();
        if report == FleetReport::default() {
            return Ok(());
        }
        shared.publish(&report).await
    }

    /// What is new. If it cannot be told, it is not told later: it would count for another minute.
    fn new_report(&self) -> FleetReport {
        let observer = &self.0.watch.observer;
        let (requests, limited) = observer.sums();
        let mut told = self
            .0
            .fleet
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *told, (requests, limited));
        FleetReport {
            requests: requests.saturating_sub(before.0),
            limited: limited.saturating_sub(before.1),
            durations: observer.untold_durations(),
            clients: observer.untold_clients(),
        }
    }

    /// Logs the first failure of a kind that is no outage of the store, which the circuit breaker logs.
    fn note_failure(
        shared: SharedFleet<'_>,
        notice: &Notice,
        consequence: &str,
        done: Result<(), StoreError>,
    ) {
        let Err(error) = done else {
            return;
        };
        if error.is_refusal() || shared.is_alone_in(&error) {
            notice.once(|| {
                tracing::warn!(
                    error = error.to_string(),
                    "limits are kept all the same, but this process {consequence}. If the store is Redis: \
                     see \"Redis in production\" in ratelimit's documentation for what its user must be \
                     allowed to do. This is logged once"
                );
            });
        }
    }
}

/// Returns a bypass as it was found in the store, with how long it lasts, within the bounds of
/// [`RateLimiter::start_bypass`]: whatever the store says, it ends 24 hours after it was started.
fn bounded(found: FleetBypass, now: SystemTime) -> Result<Option<(Bypass, Duration)>, StoreError> {
    let FleetBypass {
        mut reason,
        since,
        remaining,
    } = found;
    // The clock of the process that started it may be ahead of this one.
    if since > now + LONGEST {
        return Err(StoreError::refused(
            "the bypass in the store has a beginning that is more than a day ahead",
        ));
    }
    let age = now.duration_since(since).unwrap_or_default();
    let lasts = remaining.min(LONGEST.saturating_sub(age));
    if lasts.is_zero() {
        return Ok(None);
    }
    let mut ends = (0..=LONGEST_REASON.min(reason.len())).rev();
    let end = ends.find(|&end| reason.is_char_boundary(end));
    reason.truncate(end.unwrap_or(0));
    let bypass = Bypass {
        reason,
        since,
        until: now + lasts,
    };
    Ok(Some((bypass, lasts)))
}

/// A limiter's task. Another can begin when this ends, be it with its runtime.
struct Task(Weak<Inner>);

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(limiter) = self.0.upgrade() {
            limiter.fleet.has_task.store(false, Ordering::Relaxed);
        }
    }
}

/// Ends with the limiter.
async fn stay_in_touch(task: Task) {
    let mut periods: u32 = 0;
    loop {
        {
            let Some(limiter) = task.0.upgrade().map(RateLimiter) else {
                return;
            };
            let Some(shared) = limiter.0.store.fleet() else {
                return;
            };
            let Fleet {
                stats_failure,
                bypass_failure,
                ..
            } = &limiter.0.fleet;
            RateLimiter::note_failure(
                shared,
                bypass_failure,
                "does not follow a bypass that another one starts",
                limiter.follow_bypass(shared).await,
            );
            if periods.is_multiple_of(PERIODS_TO_A_REPORT) {
                RateLimiter::note_failure(
                    shared,
                    stats_failure,
                    "does not add to the stats of all processes",
                    limiter.report_to(shared).await,
                );
            }
        }
        periods = periods.wrapping_add(1);
        tokio::time::sleep(PERIOD).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = LONGEST;
    const SECOND: Duration = Duration::from_secs(1);

    fn found(since: SystemTime, remaining: Duration) -> FleetBypass {
        FleetBypass {
            reason: "an incident".to_owned(),
            since,
            remaining,
        }
    }

    #[test]
    fn a_bypass_ends_a_day_after_it_was_started_whatever_the_store_says() {
        let now = SystemTime::now();
        let long = Duration::from_secs(u64::MAX);
        for (since, remaining, expected) in [
            (now, SECOND, Some(SECOND)),
            (now, DAY, Some(DAY)),
            (now, long, Some(DAY)),
            (now - DAY / 4, long, Some(DAY * 3 / 4)),
            (now - DAY / 4, SECOND, Some(SECOND)),
            (now - DAY, long, None),
            (SystemTime::UNIX_EPOCH, long, None),
            (now, Duration::ZERO, None),
            // By a clock that is ahead of this one.
            (now + DAY, long, Some(DAY)),
        ] {
            let bounded = bounded(found(since, remaining), now).expect("a bypass or none");
            let lasts = bounded.as_ref().map(|(_, lasts)| *lasts);
            assert_eq!(lasts, expected, "{since:?} {remaining:?}");
            let until = bounded.map(|(bypass, _)| bypass.until);
            assert_eq!(until, expected.map(|lasts| now + lasts));
        }
        assert!(bounded(found(now + DAY + SECOND, SECOND), now).is_err());
    }

    #[test]
    fn a_reason_is_cut_between_two_characters() {
        let now = SystemTime::now();
        for (reason, length) in [
            ("ä".repeat(251), 500),
            (format!("x{}", "ä".repeat(250)), 499),
        ] {
            let long = FleetBypass {
                reason: reason.clone(),
                ..found(now, SECOND)
            };
            let bounded = bounded(long, now).expect("a bypass");
            let (bypass, _) = bounded.expect("it is on");
            assert_eq!(bypass.reason, reason[..length]);
        }
    }
}
