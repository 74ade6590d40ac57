//! What a bucket should be, by the definition of its algorithm and by all that has happened to it.

use std::time::Duration;

use ratelimit::{Algorithm, Decision, Quota};

/// A window, in microseconds.
pub(super) const PER: u64 = 2_000;

const TOKENS: u32 = 20;
const BURST: u32 = 7;
const SLIDING: u32 = 15;
const FIXED: u32 = 12;

/// Microseconds in which a bucket of tokens earns one, and in which it earns all it can hold.
const INTERVAL: u64 = PER / TOKENS as u64;
const CAPACITY: u64 = BURST as u64 * INTERVAL;

/// Something that happened to a bucket, and what was said of it.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) bucket: usize,
    pub(super) act: Act,
    pub(super) decision: Decision,
}

#[derive(Debug)]
pub(super) enum Act {
    /// With whether all were admitted that were asked for together.
    Check(u32, bool),
    Charge(u32),
    /// Of what was taken at that time.
    Refund(u32, u64),
}

/// How a bucket is kept.
pub(super) struct Rule {
    pub(super) algorithm: Algorithm,
    limit: u32,
    /// What can be had within a window's time.
    pub(super) most_in_a_window: u32,
    /// The bucket to begin with.
    pub(super) full: Model,
}

pub(super) const RULES: [Rule; 3] = [
    Rule {
        algorithm: Algorithm::TokenBucket,
        limit: TOKENS,
        // A full bucket, and what it earns meanwhile.
        most_in_a_window: BURST + TOKENS,
        full: Model::Tokens {
            held: CAPACITY,
            at: 0,
        },
    },
    Rule {
        algorithm: Algorithm::SlidingWindow,
        limit: SLIDING,
        most_in_a_window: SLIDING,
        full: Model::Sliding(Vec::new()),
    },
    Rule {
        algorithm: Algorithm::FixedWindow,
        limit: FIXED,
        // The end of one and the beginning of the next.
        most_in_a_window: 2 * FIXED,
        full: Model::Fixed { open: 0, used: 0 },
    },
];

impl Rule {
    pub(super) fn quota(&self) -> Quota {
        let quota = Quota::new(self.limit, Duration::from_micros(PER));
        match self.full {
            Model::Tokens { .. } => quota.with_burst(BURST),
            _ => quota,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Model {
    /// What it holds, in microseconds that it takes to earn, and when it held that.
    Tokens { held: u64, at: u64 },
    /// What was admitted in the last window, and when.
    Sliding(Vec<(u64, u32)>),
    /// When the window opened, and what was admitted in it.
    Fixed { open: u64, used: u32 },
}

impl Model {
    /// Lets the time come to `now`.
    fn pass(&mut self, now: u64) {
        match self {
            Self::Tokens { held, at } => {
                *held = (*held + now - *at).min(CAPACITY);
                *at = now;
            }
            Self::Sliding(admitted) => admitted.retain(|(at, _)| at + PER > now),
            Self::Fixed { open, used } if *used == 0 || *open + PER <= now => {
                (*open, *used) = (now, 0);
            }
            Self::Fixed { .. } => {}
        }
    }

    fn left(&self) -> u32 {
        match self {
            Self::Tokens { held, .. } => u32::try_from(held / INTERVAL).expect("small"),
            Self::Sliding(admitted) => SLIDING - admitted.iter().map(|(_, n)| n).sum::<u32>(),
            Self::Fixed { used, .. } => FIXED - used,
        }
    }

    /// Takes a cost, or all there is.
    fn take(&mut self, cost: u32, now: u64) {
        let of_left = cost.min(self.left());
        match self {
            Self::Tokens { held, .. } => *held = held.saturating_sub(u64::from(cost) * INTERVAL),
            Self::Sliding(admitted) => admitted.extend((of_left > 0).then_some((now, of_left))),
            Self::Fixed { used, .. } => *used += of_left,
        }
    }

    fn give_back(&mut self, cost: u32, taken_at: u64, now: u64) {
        match self {
            // What was earned since counts as given back.
            Self::Tokens { held, .. } => {
                let credit = (u64::from(cost) * INTERVAL).saturating_sub(now - taken_at);
                *held = (*held + credit).min(CAPACITY);
            }
            Self::Sliding(admitted) => admitted.retain(|(at, _)| *at != taken_at),
            Self::Fixed { open, used } if *open <= taken_at => *used = used.saturating_sub(cost),
            Self::Fixed { .. } => {}
        }
    }

    fn full_after(&self, now: u64) -> u64 {
        match self {
            Self::Tokens { held, .. } => CAPACITY - held,
            Self::Sliding(admitted) => admitted.last().map_or(0, |(at, _)| at + PER - now),
            Self::Fixed { used: 0, .. } => 0,
            Self::Fixed { open, .. } => open + PER - now,
        }
    }

    /// Does what was done; whether that is what was said of it.
    pub(super) fn agrees(&mut self, Event { act, decision, .. }: &Event) -> bool {
        let now = decision.at_micros;
        self.pass(now);
        let allowed = match *act {
            Act::Check(cost, _) | Act::Charge(cost) => cost <= self.left(),
            Act::Refund(..) => true,
        };
        match *act {
            Act::Check(cost, all) if allowed && all => self.take(cost, now),
            Act::Check(..) => {}
            Act::Charge(cost) => self.take(cost, now),
            Act::Refund(cost, taken_at) => self.give_back(cost, taken_at, now),
        }
        (decision.allowed, decision.remaining) == (allowed, self.left())
            && decision.reset_after == Duration::from_micros(self.full_after(now))
    }
}
