//! The line at a connection: while a few calls are under way there, the checks that come wait, and
//! then go together.
//!
//! Nobody waits for others to come: a check that finds the connection free goes at once, and those
//! in line go as soon as one of the calls before them is over: all of a few, and half of many.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redis::{RedisError, Value};
use tokio::sync::oneshot::{self, Receiver, Sender};

use crate::{budget::Budget, store::Bucket};

/// So many calls are under way before a check waits in line. The next answer is then about a quarter
/// of a round trip away, and only who is busy has as many checks under way at all. Were they more,
/// fewer checks would go together, and the server would have more calls to begin.
const UNDER_WAY: usize = 4;

/// So many go together if they are there.
const FEW: usize = 16;

/// Where twice as many wait, half of them go: the more there are in a call, the less of the server's
/// time each takes, but while it decides some, others should be on their way to it. More than these
/// would save it little.
const MANY: usize = 64;

/// The most that wait. A check that finds so many in line goes at once.
const IN_LINE: usize = 1024;

type Answer = Result<Value, RedisError>;

/// A check in line.
pub(in super::super) struct Waiting {
    pub(in super::super) bucket: Bucket,
    pub(in super::super) cost: u32,
    pub(in super::super) deadline: Budget,
    pub(in super::super) answer: Sender<Answer>,
}

#[derive(Default)]
pub(in super::super) struct Line(Mutex<State>);

#[derive(Default)]
struct State {
    under_way: usize,
    /// Nobody, unless as many as may be are under way.
    waiting: VecDeque<Waiting>,
    goes_alone: bool,
}

impl Line {
    /// Where to wait for the answer; `None` for a check that goes at once, and leaves when it is
    /// over.
    pub(in super::super) fn join(
        &self,
        bucket: &Bucket,
        cost: u32,
        deadline: Budget,
    ) -> Option<Receiver<Answer>> {
        let mut state = self.state();
        if state.under_way < UNDER_WAY || state.goes_alone || state.waiting.len() >= IN_LINE {
            state.under_way += 1;
            return None;
        }
        let (answer, answered) = oneshot::channel();
        state.waiting.push_back(Waiting {
            bucket: *bucket,
            cost,
            deadline,
            answer,
        });
        Some(answered)
    }

    /// Of a call that is over: who goes in its place. `None` where nobody waits.
    pub(in super::super) fn leave(&self) -> Option<Vec<Waiting>> {
        let mut state = self.state();
        let most = (state.waiting.len() / 2).clamp(FEW, MANY);
        let mut next = Vec::with_capacity(state.waiting.len().min(most));
        while next.len() < most
            && let Some(waiting) = state.waiting.pop_front()
        {
            // What is sent may be charged, also where nobody waits for the answer any more.
            if !waiting.deadline.is_spent() && !waiting.answer.is_closed() {
                next.push(waiting);
            }
        }
        if next.is_empty() {
            state.under_way -= 1;
            return None;
        }
        Some(next)
    }

    /// From now on nobody waits in line.
    pub(in super::super) fn dissolve(&self) {
        self.state().goes_alone = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{iter, time::Duration};

    use super::*;
    use crate::{
        client::ClientId,
        policy::{Algorithm, Policy, Quota, Tier},
    };

    const SOON: Duration = Duration::from_secs(60);

    fn join(line: &Line, cost: u32, time: Duration) -> Option<Receiver<Answer>> {
        static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_minute(5))];
        static POLICY: Policy = Policy::new("line", Algorithm::FixedWindow, &TIERS);
        let bucket = Bucket::new(&POLICY, &TIERS[0], ClientId::EVERYBODY).expect("limited");
        line.join(&bucket, cost, Budget::start(time))
    }

    /// A line at a connection that is as busy as it may be.
    fn busy() -> Line {
        let line = Line::default();
        for _ in 0..UNDER_WAY {
            assert!(join(&line, 1, SOON).is_none(), "it goes at once");
        }
        line
    }

    fn costs(next: Option<Vec<Waiting>>) -> Vec<u32> {
        let next = next.into_iter().flatten();
        next.map(|waiting| waiting.cost).collect()
    }

    #[test]
    fn who_waits_goes_in_order_and_not_too_many_together() {
        let line = busy();
        let waiting: Vec<_> = (0..200).map(|cost| join(&line, cost, SOON)).collect();
        assert!(waiting.iter().all(Option::is_some));
        let went: Vec<_> = iter::from_fn(|| line.leave()).collect();
        let together: Vec<_> = went.iter().map(Vec::len).collect();
        assert_eq!(together, [64, 64, 36, 18, 16, 2]);
        let went: Vec<_> = went.into_iter().flatten().collect();
        assert_eq!(costs(Some(went)), (0..200).collect::<Vec<_>>());
        assert!(join(&line, 1, SOON).is_none(), "and one place is free");
        assert!(join(&line, 1, SOON).is_some());
    }

    #[test]
    fn who_does_not_wait_any_more_is_not_sent() {
        let line = busy();
        let patient = join(&line, 1, SOON);
        drop(join(&line, 2, SOON));
        let mut late = join(&line, 3, Duration::ZERO).expect("in line");
        assert_eq!(costs(line.leave()), [1]);
        assert!(late.try_recv().is_err());
        drop(patient);
    }

    #[test]
    fn a_full_line_and_one_that_is_dissolved_let_everybody_go_at_once() {
        let line = busy();
        let waiting: Vec<_> = (0..IN_LINE).map(|_| join(&line, 1, SOON)).collect();
        assert!(waiting.iter().all(Option::is_some));
        assert!(join(&line, 1, SOON).is_none());

        let line = busy();
        line.dissolve();
        assert!(join(&line, 1, SOON).is_none());
    }
}
