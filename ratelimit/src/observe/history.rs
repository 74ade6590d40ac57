//! The last five minutes, second by second.

use std::collections::VecDeque;

use super::{counts::Totals, durations::Latency};

/// Seconds that are kept.
const KEPT: usize = 301;

/// The counts at the end of each second, which only grow: what happened between two seconds is their
/// difference, and nothing is lost where a tick is late.
pub(super) struct History {
    seconds: VecDeque<End>,
}

/// How things stood at the end of a second.
struct End {
    at: u64,
    totals: Vec<(&'static str, Totals)>,
    check: Option<Latency>,
}

/// What happened in one second; see [`RateLimiter::history`](crate::RateLimiter::history).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Second {
    /// When it ended, in seconds since 1970.
    pub at: u64,
    /// The requests under each policy that has been used until then, by its name.
    pub policies: Vec<(&'static str, Totals)>,
    /// How long checks took; `None` where none was timed.
    pub check: Option<Latency>,
}

/// Requests under all policies together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) requests: u64,
    pub(super) limited: u64,
}

impl Sum {
    pub(super) fn of(totals: &[(&'static str, Totals)]) -> Self {
        Self {
            requests: totals.iter().map(|(_, totals)| totals.requests()).sum(),
            limited: totals.iter().map(|(_, totals)| totals.limited).sum(),
        }
    }
}

impl History {
    /// Before anything has happened.
    pub(super) fn begin(at: u64) -> Self {
        let nothing = End {
            at,
            totals: Vec::new(),
            check: None,
        };
        Self {
            seconds: VecDeque::from([nothing]),
        }
    }

    /// A second has ended with these totals. Seconds that a late tick has left out had nothing new.
    pub(super) fn add(
        &mut self,
        at: u64,
        totals: Vec<(&'static str, Totals)>,
        check: Option<Latency>,
    ) {
        if let Some(last) = self.seconds.back() {
            if at <= last.at {
                // The machine's clock was set back: what is known is of another time.
                if at + 2 < last.at {
                    self.seconds.clear();
                }
                return;
            }
            let before = last.totals.clone();
            let oldest = at.saturating_sub(KEPT as u64);
            for at in (last.at + 1).max(oldest)..at {
                self.push(End {
                    at,
                    totals: before.clone(),
                    check: None,
                });
            }
        }
        self.push(End { at, totals, check });
    }

    fn push(&mut self, second: End) {
        if self.seconds.len() == KEPT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(second);
    }

    /// What has happened in the minute before `now`, at which the totals are these.
    pub(super) fn last_minute(&self, now: u64, totals: &[(&'static str, Totals)]) -> Sum {
        let ended_before = |second: &&End| second.at + 60 <= now;
        let before = self.seconds.iter().rev().find(ended_before);
        let before = before.map_or(Sum::default(), |second| Sum::of(&second.totals));
        let now = Sum::of(totals);
        Sum {
            requests: now.requests.saturating_sub(before.requests),
            limited: now.limited.saturating_sub(before.limited),
        }
    }

    /// The seconds that ended after `since`, oldest first. What happened in the first there is nobody
    /// can tell, as its beginning is not known.
    pub(super) fn after(&self, since: u64) -> Vec<Second> {
        let both = self.seconds.iter().zip(self.seconds.iter().skip(1));
        both.filter(|(_, end)| end.at > since)
            .map(|(before, end)| Second {
                at: end.at,
                policies: differences(&before.totals, &end.totals),
                check: end.check,
            })
            .collect()
    }
}

fn differences(
    before: &[(&'static str, Totals)],
    after: &[(&'static str, Totals)],
) -> Vec<(&'static str, Totals)> {
    let new = |(name, totals): &(&'static str, Totals)| {
        let known = before.iter().find(|(known, _)| known == name);
        let known = known.map_or(Totals::default(), |(_, totals)| *totals);
        (*name, totals.since(&known))
    };
    after.iter().map(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(allowed: u64, limited: u64) -> Vec<(&'static str, Totals)> {
        vec![(
            "search",
            Totals {
                allowed,
                limited,
                ..Totals::default()
            },
        )]
    }

    fn requests(history: &History, since: u64) -> Vec<(u64, u64)> {
        let seconds = history.after(since).into_iter();
        let requests =
            |second: &Second| second.policies.iter().map(|(_, new)| new.requests()).sum();
        seconds
            .map(|second| (second.at, requests(&second)))
            .collect()
    }

    #[test]
    fn a_second_is_the_difference_to_the_one_before() {
        let mut history = History::begin(100);
        history.add(101, totals(5, 1), None);
        history.add(104, totals(7, 2), None);
        assert_eq!(
            requests(&history, 0),
            [(101, 6), (102, 0), (103, 0), (104, 3)],
            "a late tick loses nothing"
        );
        assert_eq!(requests(&history, 103), [(104, 3)]);
        let sum = history.last_minute(161, &totals(20, 4));
        assert_eq!((sum.requests, sum.limited), (18, 3), "since the end of 101");
        assert_eq!(history.last_minute(105, &totals(20, 4)).requests, 24);
    }

    #[test]
    fn five_minutes_are_kept_and_a_clock_that_steps_back_begins_anew() {
        let mut history = History::begin(4_999);
        for second in 0..1000 {
            history.add(5_000 + second, totals(second, 0), None);
        }
        assert_eq!(history.after(0).len(), 300);
        history.add(90_000, totals(2_000, 0), None);
        assert_eq!(history.after(0).len(), 300, "after a long sleep, too");
        history.add(10, totals(2_001, 0), None);
        history.add(11, totals(2_002, 0), None);
        history.add(12, totals(2_004, 0), None);
        assert_eq!(requests(&history, 0), [(12, 2)]);
    }
}
