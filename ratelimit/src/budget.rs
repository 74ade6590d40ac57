//! A budget of time for one operation, which its steps share.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// An instant that no operation reaches: about 30 years from now, as in tokio.
const FAR_FUTURE: Duration = Duration::from_secs(86_400 * 365 * 30);

/// The time that an operation may take. Its steps run one after another within the same budget, so
/// that a slow step leaves less for the next and all of them together end in time.
///
/// A budget is a deadline, not a duration: handing it to a step never extends it. It cannot
/// overflow: a span such as [`Duration::MAX`] is a budget that never ends.
///
/// A store gets one in [`Store::check_all_within`](crate::Store::check_all_within).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget {
    deadline: Instant,
}

/// The budget of an operation has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfTime;

impl Budget {
    /// Returns a budget of this span that starts now.
    pub fn start(span: Duration) -> Self {
        let now = Instant::now();
        Self {
            deadline: now.checked_add(span).unwrap_or_else(|| now + FAR_FUTURE),
        }
    }

    /// Returns the time that is left, which is zero once the budget has run out.
    pub fn remaining(self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Returns whether nothing of the budget is left.
    #[cfg(any(feature = "redis", test))]
    pub(crate) fn is_spent(self) -> bool {
        self.deadline <= Instant::now()
    }

    /// Returns a budget that ends this much later: for work whose caller does not wait any more.
    #[cfg(feature = "redis")]
    pub(crate) fn extend(self, by: Duration) -> Self {
        Self {
            deadline: self.deadline.checked_add(by).unwrap_or(self.deadline),
        }
    }

    /// Runs a step for as long as the budget lasts.
    pub(crate) async fn run<T>(self, step: impl Future<Output = T>) -> Result<T, OutOfTime> {
        timeout_at(self.deadline, step).await.map_err(|_| OutOfTime)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn steps_share_it() {
        let begin = Instant::now();
        let budget = Budget::start(Duration::from_millis(100));
        assert_eq!(budget.run(sleep(Duration::from_millis(60))).await, Ok(()));
        assert!(!budget.is_spent());
        assert_eq!(budget.remaining(), Duration::from_millis(40));
        let second = budget.run(sleep(Duration::from_millis(60))).await;
        assert_eq!(second, Err(OutOfTime));
        assert!(budget.is_spent());
        assert_eq!(budget.remaining(), Duration::ZERO);
        assert_eq!(begin.elapsed(), Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_span_never_ends_and_does_not_overflow() {
        let budget = Budget::start(Duration::MAX);
        let day = Duration::from_secs(86_400);
        let step = tokio::time::timeout(day, budget.run(pending::<()>()));
        assert!(step.await.is_err(), "the budget outlives a day");
        assert!(!budget.is_spent());
    }
}
