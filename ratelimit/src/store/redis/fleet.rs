//! The stats of all processes that share a Redis.
//!
//! Each adds what is new, a few times a minute, to the counters and a `HyperLogLog` of the present ten
//! seconds; a process that wants the stats adds up those of the last minute. The slots go by the
//! processes' clocks, which a few seconds' difference does not hurt.
//!
//! The counters of a slot are one string of a fixed length, for
//! [`BITFIELD`](https://redis.io/docs/latest/commands/bitfield/): whatever was written there, no more
//! than that is read, each counter is a number, and none overflows.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use redis::{Cmd, Value, from_redis_value, pipe};

use super::RedisStore;
use crate::{
    observe::Figures,
    store::{FleetReport, StoreError, fleet::latency},
};

/// Seconds in a slot.
const SLOT: u64 = 10;

/// A minute's, before the present one.
const SLOTS: u64 = 6;

/// Milliseconds that a slot is kept, which is longer than any process asks for it.
const KEPT: i64 = 180_000;

/// Clients in one command. Each takes Redis a moment in which it serves no other command.
const TOGETHER: usize = 500;

/// The places of the counters that count requests. Those of durations follow.
const REQUESTS: usize = 0;
const LIMITED: usize = 1;
const DURATIONS: usize = 2;

/// The longest duration that is told from longer ones, in microseconds: that of the histogram which the
/// durations are from.
const LONGEST: u64 = 10_000_000;

/// How many steps there are up to [`LONGEST`].
const STEPS: usize = step(LONGEST) + 1;

/// How many counters a slot has, and how many bytes they take.
const COUNTERS: usize = DURATIONS + STEPS;
const BYTES: usize = COUNTERS * size_of::<u32>();

impl RedisStore {
    pub(crate) async fn tell_fleet(&self, report: &FleetReport) -> Result<(), StoreError> {
        let (slot, _) = now();
        let (stats, clients) = (self.stats_key(slot), self.clients_key(slot));
        let mut tell = pipe();
        if let Some(add) = addition(&stats, report) {
            tell.add_command(add).pexpire(&stats, KEPT);
        }
        let names: Vec<String> = report.clients.iter().map(ToString::to_string).collect();
        for some in names.chunks(TOGETHER) {
            tell.pfadd(&clients, some);
        }
        if !names.is_empty() {
            tell.pexpire(&clients, KEPT);
        }
        self.send_aside(&tell).await.map(drop)
    }

    /// Returns the stats of all processes for the last minute.
    pub(crate) async fn fleet_figures(&self) -> Result<Figures, StoreError> {
        let (slot, passed) = now();
        let slots: Vec<u64> = (slot.saturating_sub(SLOTS)..=slot).rev().collect();
        let mut ask = pipe();
        for &slot in &slots {
            ask.getrange(self.stats_key(slot), 0, BYTES.cast_signed() - 1);
        }
        let clients: Vec<String> = slots.iter().map(|&slot| self.clients_key(slot)).collect();
        ask.pfcount(clients);
        let mut answers = self.send_aside(&ask).await?;
        let clients = answers.pop().unwrap_or(Value::Int(0));
        let read = |value| {
            let bytes: Vec<u8> = from_redis_value(value).map_err(|_| no_stats())?;
            Ok(Counters::read(&bytes))
        };
        let slots: Vec<Counters> = answers.into_iter().map(read).collect::<Result<_, _>>()?;
        let clients = from_redis_value(clients).map_err(|_| no_stats())?;
        Ok(sum(&slots, passed, clients))
    }

    fn stats_key(&self, slot: u64) -> String {
        self.fleet_key(&format!("stats:{slot}"))
    }

    fn clients_key(&self, slot: u64) -> String {
        self.fleet_key(&format!("clients:{slot}"))
    }
}

fn no_stats() -> StoreError {
    StoreError::refused("the keys of the stats of all processes hold something else")
}

/// The present slot, and how many milliseconds of it have passed.
fn now() -> (u64, u64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let passed = now.as_secs() % SLOT * 1000 + u64::from(now.subsec_millis());
    (now.as_secs() / SLOT, passed)
}

/// Returns the command that adds a report to the counters of a slot; `None` if there is nothing to add.
fn addition(key: &str, report: &FleetReport) -> Option<Cmd> {
    let counts = [(REQUESTS, report.requests), (LIMITED, report.limited)];
    let durations = by_step(&report.durations).into_iter();
    let durations = durations.map(|(step, count)| (DURATIONS + step, count));
    let mut add = redis::cmd("BITFIELD");
    add.arg(key).arg("OVERFLOW").arg("SAT");
    let mut is_any = false;
    for (place, count) in counts.into_iter().chain(durations) {
        if count > 0 {
            is_any = true;
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            add.arg("INCRBY").arg("u32").arg(format!("#{place}"));
            add.arg(count);
        }
    }
    is_any.then_some(add)
}

/// The counters of one slot.
struct Counters([u32; COUNTERS]);

impl Counters {
    /// Reads what there is of the string: it ends with the last counter that was added to.
    fn read(bytes: &[u8]) -> Self {
        let mut counters = [0; COUNTERS];
        let (numbers, _) = bytes.as_chunks();
        for (counter, &number) in counters.iter_mut().zip(numbers) {
            *counter = u32::from_be_bytes(number);
        }
        Self(counters)
    }
}

/// Adds the slots up, the present one first. Of the last, as much counts as is still within the
/// minute.
fn sum(slots: &[Counters], passed: u64, clients: u64) -> Figures {
    let of = |place: usize| {
        let mut counts = slots.iter().map(|slot| u64::from(slot.0[place]));
        let last = counts.next_back().unwrap_or(0);
        let within = SLOT * 1000 - passed.min(SLOT * 1000);
        last * within / (SLOT * 1000) + counts.sum::<u64>()
    };
    let mut durations = BTreeMap::new();
    for (step, place) in (DURATIONS..COUNTERS).enumerate() {
        let count = slots.iter().map(|slot| u64::from(slot.0[place])).sum();
        if count > 0 {
            durations.insert(middle(step), count);
        }
    }
    Figures {
        requests_per_minute: of(REQUESTS),
        limited_per_minute: of(LIMITED),
        limited_clients: clients,
        check: latency(&durations),
    }
}

/// Durations in steps of 3 to 6 %, so that those of many processes are few and can be added up.
fn by_step(durations: &[(u64, u64)]) -> BTreeMap<usize, u64> {
    let mut steps = BTreeMap::new();
    for &(micros, count) in durations {
        let sum: &mut u64 = steps.entry(step(micros)).or_default();
        *sum = sum.saturating_add(count);
    }
    steps
}

/// Steps that are one microsecond long, and steps to each further power of two.
const SHORT_STEPS: usize = 32;
const STEPS_TO_A_DOUBLE: usize = 16;

/// Returns the step that a number of microseconds is in: of its bits the first five count.
#[expect(
    clippy::cast_possible_truncation,
    reason = "five bits, and ten million at most"
)]
const fn step(micros: u64) -> usize {
    let micros = if micros < LONGEST { micros } else { LONGEST };
    let below = (u64::BITS - micros.leading_zeros()).saturating_sub(5) as usize;
    if below == 0 {
        return micros as usize;
    }
    let first_bits = (micros >> below) as usize;
    SHORT_STEPS + (below - 1) * STEPS_TO_A_DOUBLE + first_bits - STEPS_TO_A_DOUBLE
}

/// Returns the microseconds in the middle of a step.
fn middle(step: usize) -> u64 {
    let Some(step) = step.checked_sub(SHORT_STEPS) else {
        return step as u64;
    };
    let below = step / STEPS_TO_A_DOUBLE + 1;
    let first_bits = (step % STEPS_TO_A_DOUBLE + STEPS_TO_A_DOUBLE) as u64;
    (first_bits << below) + (1 << below) / 2
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;

    #[test]
    fn a_step_is_near_what_it_stands_for() {
        for micros in (0..100_000).chain([LONGEST - 1, LONGEST]) {
            let middle = middle(step(micros));
            assert!(middle.abs_diff(micros) <= micros / 31, "{micros} {middle}");
        }
        assert_eq!(step(u64::MAX), STEPS - 1);
        let steps: BTreeSet<usize> = (0..=LONGEST).map(step).collect();
        assert!(steps.into_iter().eq(0..STEPS), "each is a counter's");
    }

    /// The counters of a slot to which this was added.
    fn slot(requests: u32, limited: u32, durations: &[(u64, u64)]) -> Counters {
        let mut counters = [0; COUNTERS];
        counters[REQUESTS] = requests;
        counters[LIMITED] = limited;
        for (step, count) in by_step(durations) {
            counters[DURATIONS + step] = u32::try_from(count).expect("few");
        }
        Counters(counters)
    }

    #[test]
    fn the_durations_of_many_add_up_to_the_percentiles_of_all() {
        let slots = [
            slot(0, 0, &[(100, 900), (200, 70)]),
            slot(0, 0, &[(5_000, 20), (100, 10)]),
        ];
        let check = sum(&slots, 0, 0).check.expect("there were checks");
        let is_about = |time: Duration, micros: u64| {
            time.abs_diff(Duration::from_micros(micros)) < Duration::from_micros(micros / 20)
        };
        assert!(is_about(check.p50, 100), "{check:?}");
        assert!(is_about(check.p99, 5_000), "{check:?}");
        assert_eq!(sum(&[], 0, 0).check, None);
    }

    #[test]
    fn whatever_was_written_there_is_numbers() {
        for length in [0, 1, 3, 4, BYTES - 1, BYTES, BYTES + 5] {
            for byte in [0, 0x7f, 0x80, 0xff] {
                let slots: Vec<_> = (0..=SLOTS)
                    .map(|_| Counters::read(&vec![byte; length]))
                    .collect();
                for passed in [0, 9_999, u64::MAX] {
                    let stats = sum(&slots, passed, u64::MAX);
                    let most = u64::from(u32::MAX) * (SLOTS + 1);
                    assert!(stats.requests_per_minute <= most, "{stats:?}");
                    assert_eq!(stats.check.is_some(), byte > 0 && length >= 12);
                }
            }
        }
    }

    #[test]
    fn of_the_oldest_slot_counts_what_is_within_the_minute() {
        let slots: Vec<_> = (0..=SLOTS).map(|_| slot(100, 10, &[])).collect();
        let figures = sum(&slots, 3_000, 7);
        assert_eq!(figures.requests_per_minute, 670);
        assert_eq!(figures.limited_per_minute, 67);
        assert_eq!(figures.limited_clients, 7);
    }

    #[test]
    fn a_report_of_nothing_is_not_sent() {
        assert!(addition("stats", &FleetReport::default()).is_none());
        let report = FleetReport {
            requests: u64::MAX,
            durations: vec![(7, 3), (u64::MAX, u64::MAX), (LONGEST, u64::MAX)],
            ..FleetReport::default()
        };
        let add = addition("stats", &report).expect("something");
        let words = add.get_packed_command();
        let words = String::from_utf8_lossy(&words).replace("\r\n", " ");
        assert!(words.contains(" u32 $2 #0 $10 4294967295 "), "{words}");
        assert!(words.contains(" u32 $2 #9 $1 3 "), "{words}");
    }
}
