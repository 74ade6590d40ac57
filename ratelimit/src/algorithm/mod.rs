//! The arithmetic of the three algorithms: pure, in integers, without a clock and without I/O.
//!
//! Each algorithm is one function from a client's state, its quota, the cost of a request and the
//! time, to a [`Decision`]. Every store asks these same functions, so that all of them decide
//! alike; a store of one's own does so through [`State`].
//!
//! ```
//! use std::time::Duration;
//! use ratelimit::{Algorithm, Quota, algorithm::State};
//!
//! let quota = Quota::per_second(1);
//! let mut state = State::new(Algorithm::SlidingWindow);
//! assert!(state.check(&quota, 1, 5_000_000).allowed);
//!
//! let denied = state.check(&quota, 1, 5_250_000);
//! assert!(!denied.allowed);
//! assert_eq!(denied.retry_after, Some(Duration::from_millis(750)));
//! assert!(state.check(&quota, 1, 6_000_000).allowed);
//! ```
//!
//! Time is in microseconds since any instant. Where it steps back, a state that lies in the future
//! is moved to the present: no client waits longer than its quota says, and none is given back what
//! it has used.

pub(crate) mod fixed_window;
mod share;
pub(crate) mod sliding_window;
pub(crate) mod token_bucket;

use std::time::Duration;

use self::share::RoundedCapacity;
pub(crate) use self::share::Share;
use crate::policy::{Algorithm, Quota, TICKS_PER_MICRO};

/// What was decided about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on. If so its cost has been taken, else nothing has.
    pub allowed: bool,
    /// How many requests of cost 1 would be admitted right after this one.
    pub remaining: u32,
    /// How long until this same request would be admitted, if nothing else came in between.
    ///
    /// `Some` only for a request that was denied; `None` there means never, because it costs more
    /// than the quota can hold.
    pub retry_after: Option<Duration>,
    /// How long until the whole quota is available again.
    pub reset_after: Duration,
    /// When it was decided, in microseconds of the store's time: what [`State::refund`] goes by.
    pub at_micros: u64,
}

/// One client's state under one algorithm.
#[derive(Clone, Debug)]
pub struct State(Kind);

/// Each with the capacity of its quota, in the algorithm's unit, if a store has set it.
#[derive(Clone, Debug)]
enum Kind {
    TokenBucket(RoundedCapacity, token_bucket::State),
    /// In a place of its own, so that states of the other algorithms stay small.
    SlidingWindow(RoundedCapacity, Box<sliding_window::Log>),
    FixedWindow(RoundedCapacity, fixed_window::State),
}

// Stores keep many.
const _: () = assert!(size_of::<Option<State>>() == 16);

impl State {
    /// The state of a client that has not been seen.
    pub fn new(algorithm: Algorithm) -> Self {
        let unset = RoundedCapacity::default();
        Self(match algorithm {
            Algorithm::TokenBucket => Kind::TokenBucket(unset, token_bucket::State::default()),
            Algorithm::SlidingWindow => Kind::SlidingWindow(unset, Box::default()),
            Algorithm::FixedWindow => Kind::FixedWindow(unset, fixed_window::State::default()),
        })
    }

    /// The state of a client of whom it is known what is left, and when all of it is back.
    ///
    /// Of a sliding window that does not say when each request was admitted: they are taken to have
    /// come evenly.
    pub(crate) fn remembered(
        algorithm: Algorithm,
        quota: &Quota,
        remaining: u32,
        full_at_micros: u64,
    ) -> Self {
        let used = quota.limit().saturating_sub(remaining);
        let last_at = full_at_micros.saturating_sub(quota.per_micros());
        let unset = RoundedCapacity::default();
        Self(match algorithm {
            Algorithm::TokenBucket => Kind::TokenBucket(
                unset,
                token_bucket::State {
                    full_at: full_at_micros.saturating_mul(TICKS_PER_MICRO),
                },
            ),
            Algorithm::SlidingWindow => {
                let log = sliding_window::Log::even(used, last_at, quota);
                Kind::SlidingWindow(unset, Box::new(log))
            }
            Algorithm::FixedWindow => {
                let state = fixed_window::State::opened(last_at, used, quota);
                Kind::FixedWindow(unset, state)
            }
        })
    }

    /// Moves the state to a time that is ahead by so many microseconds.
    #[must_use]
    pub(crate) fn later_by(mut self, micros: u64) -> Self {
        match &mut self.0 {
            Kind::TokenBucket(_, state) => state.move_later(micros),
            Kind::SlidingWindow(_, log) => log.move_later(micros),
            Kind::FixedWindow(_, state) => state.move_later(micros),
        }
        self
    }

    /// Sets the quota that [`share_used`](Self::share_used) is a share of.
    #[must_use]
    pub(crate) fn with_capacity_of(mut self, quota: &Quota) -> Self {
        match &mut self.0 {
            Kind::TokenBucket(capacity, _) => {
                *capacity = RoundedCapacity::new(quota.capacity_ticks());
            }
            Kind::SlidingWindow(capacity, _) | Kind::FixedWindow(capacity, _) => {
                *capacity = RoundedCapacity::new(u64::from(quota.limit()));
            }
        }
        self
    }

    /// Returns the share of its quota that the client has used and not got back, to within 0.2 %.
    pub(crate) fn share_used(&self, now_micros: u64) -> Share {
        match &self.0 {
            Kind::TokenBucket(capacity, state) => capacity.share(state.missing(now_micros)),
            Kind::SlidingWindow(capacity, log) => capacity.share(log.used(now_micros)),
            Kind::FixedWindow(capacity, state) => capacity.share(state.used(now_micros)),
        }
    }

    /// Decides about a request of this cost at this time, and takes the cost if it is allowed.
    ///
    /// A cost of 0 is always allowed and takes nothing: it only looks.
    pub fn check(&mut self, quota: &Quota, cost: u32, now_micros: u64) -> Decision {
        match &mut self.0 {
            Kind::TokenBucket(_, state) => {
                let (next, decision) = token_bucket::check(*state, quota, cost, now_micros);
                *state = next;
                decision
            }
            Kind::SlidingWindow(_, log) => log.check(quota, cost, now_micros),
            Kind::FixedWindow(_, state) => {
                let (next, decision) = fixed_window::check(*state, quota, cost, now_micros);
                *state = next;
                decision
            }
        }
    }

    /// What [`check`](Self::check) would decide, without taking anything.
    pub fn peek(&self, quota: &Quota, cost: u32, now_micros: u64) -> Decision {
        let (decision, nothing_taken) = match &self.0 {
            Kind::TokenBucket(_, state) => (
                token_bucket::check(*state, quota, cost, now_micros).1,
                token_bucket::check(*state, quota, 0, now_micros).1,
            ),
            Kind::SlidingWindow(_, log) => (
                log.peek(quota, cost, now_micros),
                log.peek(quota, 0, now_micros),
            ),
            Kind::FixedWindow(_, state) => (
                fixed_window::check(*state, quota, cost, now_micros).1,
                fixed_window::check(*state, quota, 0, now_micros).1,
            ),
        };
        Decision {
            allowed: decision.allowed,
            retry_after: decision.retry_after,
            ..nothing_taken
        }
    }

    /// Takes this cost for something that has been done already, or all there is if that is less.
    /// The decision says whether it was all there, and what is left.
    pub fn charge(&mut self, quota: &Quota, cost: u32, now_micros: u64) -> Decision {
        match &mut self.0 {
            Kind::TokenBucket(_, state) => {
                let (next, decision) = token_bucket::charge(*state, quota, cost, now_micros);
                *state = next;
                decision
            }
            Kind::SlidingWindow(_, log) => log.charge(quota, cost, now_micros),
            Kind::FixedWindow(_, state) => {
                let (next, decision) = fixed_window::charge(*state, quota, cost, now_micros);
                *state = next;
                decision
            }
        }
    }

    /// Gives back a cost that was taken at `at_micros`, as far as it still counts: never so much
    /// that more could be admitted than if the request had not been.
    pub fn refund(
        &mut self,
        quota: &Quota,
        cost: u32,
        at_micros: u64,
        now_micros: u64,
    ) -> Decision {
        match &mut self.0 {
            Kind::TokenBucket(_, state) => {
                *state = token_bucket::refund(*state, quota, cost, at_micros, now_micros);
            }
            Kind::SlidingWindow(_, log) => log.refund(quota, cost, at_micros),
            Kind::FixedWindow(_, state) => {
                *state = fixed_window::refund(*state, quota, cost, at_micros);
            }
        }
        self.peek(quota, 0, now_micros)
    }

    /// From when on this state says no more than that of a client that has not been seen, and may
    /// be forgotten.
    pub fn expires_at_micros(&self) -> u64 {
        match &self.0 {
            Kind::TokenBucket(_, state) => state.expires_at(),
            Kind::SlidingWindow(_, log) => log.expires_at(),
            Kind::FixedWindow(_, state) => state.expires_at(),
        }
    }
}

#[cfg(test)]
mod tests;
