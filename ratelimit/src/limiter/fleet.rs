//! Keeping in touch with the other processes on the same Redis: it is told what is new here, and
//! says whether the limits are bypassed.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::runtime::Handle;

use super::{Bypass, Inner, RateLimiter, notice::Notice};
use crate::store::{
    StoreError,
    redis::{KeptBypass, RedisStore, Report},
};

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
    refusal: Notice,
}

impl RateLimiter {
    /// Begins to, where that has not begun or has ended with its runtime.
    pub(super) fn keep_in_touch(&self) {
        let fleet = &self.0.fleet;
        if self.0.store.shared().is_none() || fleet.has_task.load(Ordering::Relaxed) {
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
    pub(super) async fn tell_of_bypass(&self, redis: &RedisStore) -> Result<(), StoreError> {
        let write = async |bypass| match bypass {
            Some(Bypass {
                reason,
                since,
                until,
            }) => {
                let lasts = until.duration_since(SystemTime::now()).unwrap_or_default();
                let kept = KeptBypass {
                    reason,
                    since,
                    lasts,
                };
                redis.write_bypass(&kept).await
            }
            None => redis.remove_bypass().await,
        };
        self.0.watch.bypass.tell(write).await
    }

    async fn follow_bypass(&self, redis: &RedisStore) -> Result<(), StoreError> {
        self.tell_of_bypass(redis).await?;
        let read = async {
            let kept = redis.read_bypass().await?;
            Ok(kept.map(|kept| {
                let bypass = Bypass {
                    reason: kept.reason,
                    since: kept.since,
                    until: SystemTime::now() + kept.lasts,
                };
                (bypass, kept.lasts)
            }))
        };
        self.0.watch.bypass.follow(read, &*self.0.clock).await
    }

    async fn report_to(&self, redis: &RedisStore) -> Result<(), StoreError> {
        let report = self.new_report();
        if report.requests == 0 {
            return Ok(());
        }
        redis.tell_fleet(&report).await
    }

    /// What is new. If it cannot be told, it is not told later: it would count for another minute.
    fn new_report(&self) -> Report {
        let observer = &self.0.watch.observer;
        let (requests, limited) = observer.sums();
        let mut told = self
            .0
            .fleet
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *told, (requests, limited));
        Report {
            requests: requests.saturating_sub(before.0),
            limited: limited.saturating_sub(before.1),
            durations: observer.untold_durations(),
            clients: observer.untold_clients(),
        }
    }

    /// Says once what the server does not permit; an outage is the breaker's to say.
    fn note_refusal(&self, done: Result<(), StoreError>) {
        if let Err(error) = done
            && error.is_refusal()
        {
            self.0.fleet.refusal.once(|| {
                tracing::warn!(
                    "{error}. Limits are kept all the same, but this process neither adds to the figures of \
                     all processes nor follows a bypass: see \"Redis in production\" in ratelimit's \
                     documentation for what its user must be allowed to do"
                );
            });
        }
    }
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
            let Some(redis) = limiter.0.store.shared() else {
                return;
            };
            limiter.note_refusal(limiter.follow_bypass(redis).await);
            if periods.is_multiple_of(PERIODS_TO_A_REPORT) {
                limiter.note_refusal(limiter.report_to(redis).await);
            }
        }
        periods = periods.wrapping_add(1);
        tokio::time::sleep(PERIOD).await;
    }
}
