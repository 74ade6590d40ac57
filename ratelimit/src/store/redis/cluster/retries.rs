//! When a command is sent again that no server has run.

use std::time::Duration;

use tokio::time::sleep;

use super::{super::shard::TimeLimit, redirection::Redirection};

/// How often a command is redirected without a pause: by a slot map that is old, by a slot that is being
/// moved, and by both again. More than that are servers that do not agree yet.
const REDIRECTIONS_MAX: u32 = 5;

/// The first pause. It doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(2);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// The least time that is left for an answer when a command is sent again.
const SLACK: Duration = Duration::from_millis(10);

/// The retries of one command.
pub(super) struct Retries {
    redirections: u32,
    pause: Duration,
}

impl Retries {
    pub(super) fn new() -> Self {
        Self {
            redirections: 0,
            pause: PAUSE_MIN,
        }
    }

    /// Waits before a command follows a redirection, if it must. Returns an error if there is no time
    /// for another answer, which takes as long as the last: one that comes too late would pass for an
    /// outage.
    pub(super) async fn pause(
        &mut self,
        redirection: &Redirection,
        limit: TimeLimit,
        round_trip: Duration,
    ) -> Result<(), &'static str> {
        self.redirections += 1;
        let error = if *redirection == Redirection::TryAgain {
            "the keys are being moved to another server"
        } else if self.redirections > REDIRECTIONS_MAX {
            "the servers do not agree which of them has the keys"
        } else {
            return Ok(());
        };
        let slept = limit.counted.run(sleep(self.pause)).await;
        let needed = SLACK.max(2 * round_trip);
        if slept.is_err() || needed >= limit.counted.remaining() {
            return Err(error);
        }
        self.pause = PAUSE_MAX.min(2 * self.pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::budget::Budget;

    const ROUND_TRIP: Duration = Duration::from_millis(1);

    /// Returns the milliseconds that each retry waits.
    async fn waits(redirection: &Redirection, times: usize) -> Vec<u128> {
        let limit = TimeLimit::from(Budget::start(Duration::from_secs(1)));
        let mut retries = Retries::new();
        let mut waits = Vec::new();
        for _ in 0..times {
            let begin = Instant::now();
            let paused = retries.pause(redirection, limit, ROUND_TRIP).await;
            paused.expect("there is time");
            waits.push(begin.elapsed().as_millis());
        }
        waits
    }

    fn moved() -> Redirection {
        Redirection::Moved {
            slot: super::super::HashSlot::of(b"key"),
            to: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_are_being_moved_are_given_time() {
        assert_eq!(
            waits(&Redirection::TryAgain, 6).await,
            [2, 4, 8, 16, 20, 20]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn redirections_are_followed_at_once_until_they_are_too_many() {
        assert_eq!(waits(&moved(), 8).await, [0, 0, 0, 0, 0, 2, 4, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn they_end_in_time_for_another_answer() {
        for round_trip in [1, 40] {
            let begin = Instant::now();
            let limit = TimeLimit::from(Budget::start(Duration::from_millis(100)));
            let round_trip = Duration::from_millis(round_trip);
            let mut retries = Retries::new();
            while let Ok(()) = retries
                .pause(&Redirection::TryAgain, limit, round_trip)
                .await
            {
                assert!(limit.counted.remaining() > round_trip);
                sleep(round_trip).await;
            }
            assert!(begin.elapsed() <= Duration::from_millis(100));
        }
    }
}
