//! Threads that are at one memory store all at once: what they were told is what one after the
//! other would have been told, by a reference that looks at all that has happened.

mod model;

use std::{
    fmt::Debug,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use futures_util::FutureExt;
use ratelimit::{Bucket, Charge, Clock, Decision, MemoryStore, Store};
use ratelimit_tests::{Random, bucket, policy};

use self::model::{Act, Event, Model, PER, RULES, Rule};

const THREADS: usize = 8;
const ACTS: usize = 8_000;

/// Of each algorithm. The first is only checked, so that the log says plainly what it was admitted;
/// the others get costs back, are charged and are forgotten as well.
const CLIENTS: usize = 3;

/// A clock that shows each time once, so that decisions have an order. Now and then whoever reads it
/// is held up right after, where a store is in the midst of deciding.
#[derive(Clone)]
struct Ticking(Arc<AtomicU64>);

impl Ticking {
    fn advance(&self, by: u64) {
        self.0.fetch_add(by, SeqCst);
    }
}

impl Clock for Ticking {
    fn now_micros(&self) -> u64 {
        let now = self.0.fetch_add(1, SeqCst);
        if now.is_multiple_of(4) {
            thread::yield_now();
        }
        now
    }
}

/// When a bucket was forgotten: after the one time, and before the other.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reset {
    bucket: usize,
    after: u64,
    before: u64,
}

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    resets: Vec<Reset>,
}

/// A thread's part in the storm.
struct Thread<'a> {
    store: &'a MemoryStore,
    clock: &'a Ticking,
    buckets: &'a [Bucket],
    random: Random,
    /// What it has taken and not yet given back.
    taken: Vec<(usize, u32, Decision)>,
    log: Log,
}

/// Memory waits for nothing.
fn now<T, E: Debug>(answer: impl Future<Output = Result<T, E>>) -> T {
    let answer = answer.now_or_never().expect("an answer at once");
    answer.expect("memory answers")
}

impl Thread<'_> {
    fn act(&mut self) {
        self.clock.advance(self.random.below(40));
        match self.random.below(20) {
            0 => self.charge(),
            1 => self.reset(),
            2..=4 => self.refund(),
            5..=12 => self.check_several(),
            _ => self.check(),
        }
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).expect("small")
    }

    fn cost(&mut self) -> u32 {
        [0, 1, 1, 1, 1, 2, 3, 9][self.index(8)]
    }

    fn note(&mut self, bucket: usize, act: Act, decision: Decision) {
        self.log.events.push(Event {
            bucket,
            act,
            decision,
        });
    }

    fn check(&mut self) {
        let (n, cost) = (self.index(self.buckets.len()), self.cost());
        let decision = now(self.store.check(&self.buckets[n], cost));
        self.took(n, cost, decision, decision.allowed);
    }

    /// Two buckets or more, in any order. The last has no say, as that of a policy in shadow mode.
    fn check_several(&mut self) {
        let mut several: Vec<usize> = (0..self.buckets.len()).collect();
        for n in 0..several.len() {
            let other = self.index(several.len());
            several.swap(n, other);
        }
        several.truncate(2 + self.index(3));
        let charges: Vec<Charge> = (1..)
            .zip(&several)
            .map(|(n, &bucket)| Charge {
                bucket: self.buckets[bucket],
                cost: self.cost(),
                enforced: n < several.len(),
            })
            .collect();
        let decisions = now(self.store.check_all(&charges));
        let decided = || charges.iter().zip(&decisions);
        let all = decided().all(|(charge, decision)| !charge.enforced || decision.allowed);
        let at = decisions[0].at_micros;
        assert!(decisions.iter().all(|decision| decision.at_micros == at));
        for ((charge, decision), n) in decided().zip(several) {
            self.took(n, charge.cost, *decision, all);
        }
    }

    fn took(&mut self, bucket: usize, cost: u32, decision: Decision, all: bool) {
        if decision.allowed && all && !is_only_checked(bucket) {
            self.taken.push((bucket, cost, decision));
        }
        self.note(bucket, Act::Check(cost, all), decision);
    }

    fn charge(&mut self) {
        let (n, cost) = (self.index(self.buckets.len()), self.cost());
        if !is_only_checked(n) {
            let decision = now(self.store.charge(&self.buckets[n], cost));
            self.note(n, Act::Charge(cost), decision);
        }
    }

    /// Of one of the last things that it has taken.
    fn refund(&mut self) {
        let last = self.taken.len().saturating_sub(4);
        let mut last = self.taken.split_off(last);
        if last.is_empty() {
            return;
        }
        let (n, cost, taken) = last.swap_remove(self.index(last.len()));
        self.taken.append(&mut last);
        let decision = now(self.store.refund(&self.buckets[n], cost, &taken));
        self.note(n, Act::Refund(cost, taken.at_micros), decision);
    }

    fn reset(&mut self) {
        let n = self.index(self.buckets.len());
        if !is_only_checked(n) {
            let after = self.clock.now_micros();
            now(self.store.reset(&self.buckets[n]));
            let before = self.clock.now_micros();
            self.log.resets.push(Reset {
                bucket: n,
                after,
                before,
            });
        }
    }
}

fn is_only_checked(bucket: usize) -> bool {
    bucket.is_multiple_of(CLIENTS)
}

#[test]
fn whatever_threads_do_at_once_they_are_told_as_one_after_the_other() {
    for seed in 1..=3 {
        storm(seed);
    }
}

fn storm(seed: u64) {
    // Some way from 0, as if windows had been before.
    let clock = Ticking(Arc::new(AtomicU64::new(1_000_000)));
    let store = MemoryStore::new().with_clock(clock.clone());
    let of_rule = |rule: &Rule| {
        let policy = policy("storm", rule.algorithm, rule.quota());
        (0..).take(CLIENTS).map(move |n| bucket(policy, n))
    };
    let buckets: Vec<Bucket> = RULES.iter().flat_map(of_rule).collect();
    let part = |n| Thread {
        store: &store,
        clock: &clock,
        buckets: &buckets,
        random: Random::new(seed << 32 | n),
        taken: Vec::new(),
        log: Log::default(),
    };
    let mut log = Log::default();
    let start = Barrier::new(THREADS);
    let act = |mut thread: Thread<'_>| {
        start.wait();
        for _ in 0..ACTS {
            thread.act();
        }
        thread.log
    };
    thread::scope(|scope| {
        let threads = (1..).take(THREADS).map(|n| {
            scope.spawn({
                let thread = part(n);
                move || act(thread)
            })
        });
        let threads: Vec<_> = threads.collect();
        for thread in threads {
            let mut of_thread = thread.join().expect("no panic");
            log.events.append(&mut of_thread.events);
            log.resets.append(&mut of_thread.resets);
        }
    });
    // And what is left in the end.
    for (n, bucket) in buckets.iter().enumerate() {
        log.events.push(Event {
            bucket: n,
            act: Act::Check(0, true),
            decision: now(store.check(bucket, 0)),
        });
    }
    log.events.sort_by_key(|event| event.decision.at_micros);
    log.resets.sort_by_key(|reset| reset.after);
    for n in 0..buckets.len() {
        let rule = &RULES[n / CLIENTS];
        let at = format!("seed {seed}: {:?}, client {}", rule.algorithm, n % CLIENTS);
        if is_only_checked(n) {
            log.has_no_more_than_the_quota(n, rule, &at);
        }
        log.is_of_one_after_the_other(n, rule, &at);
    }
}

impl Log {
    /// Holds a bucket's events to the model. When exactly it was forgotten the log does not say, so
    /// there may be several states that it can be in; one must agree with all that was said.
    fn is_of_one_after_the_other(&self, bucket: usize, rule: &Rule, at: &str) {
        let events = self.events.iter().filter(|event| event.bucket == bucket);
        let resets = self.resets.iter().filter(|reset| reset.bucket == bucket);
        let mut resets = resets.peekable();
        let mut states = vec![(rule.full.clone(), Vec::new())];
        let (mut checks, mut admitted) = (0, 0);
        for (n, event) in events.enumerate() {
            let time = event.decision.at_micros;
            while let Some(&reset) = resets.next_if(|reset| reset.after < time) {
                for (_, to_come) in &mut states {
                    to_come.push(reset);
                }
            }
            let mut after = Vec::new();
            for (mut model, to_come) in with_resets(rule, states) {
                let is_late = to_come.iter().any(|reset| reset.before < time);
                if !is_late
                    && model.agrees(event)
                    && !after.contains(&(model.clone(), to_come.clone()))
                {
                    after.push((model, to_come));
                }
            }
            assert!(
                !after.is_empty(),
                "{at}: no order explains number {n}, {event:?}"
            );
            states = after;
            if let Act::Check(1.., all) = event.act {
                checks += 1;
                admitted += usize::from(all && event.decision.allowed);
            }
        }
        assert!(
            admitted * 10 > checks && admitted * 10 < checks * 9,
            "{at}: {admitted} admitted of {checks} say little"
        );
    }

    /// Adds up what was admitted within a window's time of each admission.
    fn has_no_more_than_the_quota(&self, bucket: usize, rule: &Rule, at: &str) {
        let admitted = |event: &Event| match event.act {
            Act::Check(cost, true) if event.bucket == bucket && event.decision.allowed => {
                Some((event.decision.at_micros, cost))
            }
            _ => None,
        };
        let admitted: Vec<(u64, u32)> = self.events.iter().filter_map(admitted).collect();
        for (n, (first, _)) in admitted.iter().enumerate() {
            let window = admitted[n..].iter().take_while(|(at, _)| at - first < PER);
            let sum: u32 = window.map(|(_, cost)| cost).sum();
            assert!(sum <= rule.most_in_a_window, "{at}: {sum} from {first} on");
        }
    }
}

/// A bucket as it may be, and the resets that are yet to come then.
type Possible = (Model, Vec<Reset>);

/// These states, and those after any of the resets that may have come.
fn with_resets(rule: &Rule, mut states: Vec<Possible>) -> Vec<Possible> {
    let mut n = 0;
    while let Some((_, to_come)) = states.get(n).cloned() {
        for reset in 0..to_come.len() {
            let mut to_come = to_come.clone();
            to_come.remove(reset);
            let forgotten = (rule.full.clone(), to_come);
            if !states.contains(&forgotten) {
                states.push(forgotten);
            }
        }
        n += 1;
    }
    states
}
