//! The line at a connection: while a few calls are under way there, the checks that come wait, and
//! then go together.
//!
//! Nobody waits for others to come: a check that finds the connection free goes at once, and those
//! in line go as soon as one of the calls before them is over, however many they are by then.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use redis::{RedisError, Value};
use tokio::{
    sync::oneshot::{self, Receiver, Sender},
    time::Instant,
};

use crate::store::Bucket;

/// So many calls are under way before a check waits in line. The next answer is then about an
/// eighth of a round trip away, and only who is busy has as many checks under way at all.
const UNDER_WAY: usize = 8;

/// The most that go together. The server does nothing else meanwhile, for about as long as a round
/// trip takes; more of them would save it little.
const TOGETHER: usize = 64;

/// The most that wait. A check that finds so many in line goes at once.
const IN_LINE: usize = 1024;

type Answer = Result<Value, RedisError>;

/// A check in line.
pub(in super::super) struct Waiting {
    pub(in super::super) bucket: Bucket,
    pub(in super::super) cost: u32,
    pub(in super::super) deadline: Instant,
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
        deadline: Instant,
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
        let mut next = Vec::with_capacity(state.waiting.len().min(TOGETHER));
        let now = Instant::now();
        while next.len() < TOGETHER
            && let Some(waiting) = state.waiting.pop_front()
        {
            // What is sent may be charged, also where nobody waits for the answer any more.
            if waiting.deadline > now && !waiting.answer.is_closed() {
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
