//! The figures of all processes that share a Redis.
//!
//! Each adds what is new, a few times a minute, to a hash and a `HyperLogLog` of the present ten
//! seconds; whoever wants the figures adds up those of the last minute. The slots go by the
//! processes' clocks, which a few seconds' difference does not hurt.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hdrhistogram::Histogram;
use redis::{Value, from_redis_value, pipe};

use super::RedisStore;
use crate::{
    observe::{Figures, Latency},
    store::{FleetReport, StoreError},
};

/// Seconds in a slot.
const SLOT: u64 = 10;

/// A minute's, before the present one.
const SLOTS: u64 = 6;

/// Milliseconds that a slot is kept, which is longer than anybody asks for it.
const KEPT: i64 = 180_000;

/// Clients in one command. Each takes Redis a moment in which it serves nobody else.
const TOGETHER: usize = 500;

impl RedisStore {
    pub(crate) async fn tell_fleet(&self, report: &FleetReport) -> Result<(), StoreError> {
        let (slot, _) = now();
        let (figures, clients) = (self.figures_key(slot), self.clients_key(slot));
        let mut tell = pipe();
        tell.hincr(&figures, "requests", report.requests).hincr(
            &figures,
            "limited",
            report.limited,
        );
        for (step, count) in by_step(&report.durations) {
            tell.hincr(&figures, format!("micros:{step}"), count);
        }
        tell.pexpire(&figures, KEPT);
        let names: Vec<String> = report.clients.iter().map(ToString::to_string).collect();
        for some in names.chunks(TOGETHER) {
            tell.pfadd(&clients, some);
        }
        if !names.is_empty() {
            tell.pexpire(&clients, KEPT);
        }
        self.send_aside(&tell).await.map(drop)
    }

    /// Of the last minute, of all processes.
    pub(crate) async fn fleet_figures(&self) -> Result<Figures, StoreError> {
        let (slot, passed) = now();
        let slots: Vec<u64> = (slot.saturating_sub(SLOTS)..=slot).rev().collect();
        let mut ask = pipe();
        for &slot in &slots {
            ask.hgetall(self.figures_key(slot));
        }
        let clients: Vec<String> = slots.iter().map(|&slot| self.clients_key(slot)).collect();
        ask.pfcount(clients);
        let mut answers = self.send_aside(&ask).await?;
        let clients = answers.pop().unwrap_or(Value::Int(0));
        let read = |value| from_redis_value(value).map_err(|_| no_figures());
        let slots: Vec<HashMap<String, u64>> =
            answers.into_iter().map(read).collect::<Result<_, _>>()?;
        let clients = from_redis_value(clients).map_err(|_| no_figures())?;
        Ok(sum(&slots, passed, clients))
    }

    fn figures_key(&self, slot: u64) -> String {
        self.fleet_key(&format!("figures:{slot}"))
    }

    fn clients_key(&self, slot: u64) -> String {
        self.fleet_key(&format!("clients:{slot}"))
    }
}

fn no_figures() -> StoreError {
    StoreError::refused("the keys of the fleet's figures hold something else")
}

/// The present slot, and how many milliseconds of it have passed.
fn now() -> (u64, u64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let passed = now.as_secs() % SLOT * 1000 + u64::from(now.subsec_millis());
    (now.as_secs() / SLOT, passed)
}

/// Adds the slots up, the present one first. Of the last, as much counts as is still within the
/// minute.
fn sum(slots: &[HashMap<String, u64>], passed: u64, clients: u64) -> Figures {
    let of = |name: &str| {
        let mut counts = slots
            .iter()
            .map(|slot| slot.get(name).copied().unwrap_or(0));
        let last = counts.next_back().unwrap_or(0);
        let within = SLOT * 1000 - passed.min(SLOT * 1000);
        let last = last.saturating_mul(within) / (SLOT * 1000);
        // Whatever somebody else has written there.
        counts.fold(last, u64::saturating_add)
    };
    let mut times = Histogram::<u64>::new_with_bounds(1, 10_000_000, 2)
        .expect("bounds that a histogram can have");
    for (field, &count) in slots.iter().flatten() {
        if let Some(micros) = field
            .strip_prefix("micros:")
            .and_then(|text| text.parse().ok())
        {
            times.saturating_record_n(micros, count);
        }
    }
    let at = |quantile| Duration::from_micros(times.value_at_quantile(quantile));
    Figures {
        requests_per_minute: of("requests"),
        limited_per_minute: of("limited"),
        limited_clients: clients,
        check: (!times.is_empty()).then(|| Latency::new(at(0.5), at(0.99))),
    }
}

/// Durations in steps of 3 to 6 %, so that those of many processes are few and can be added up.
fn by_step(durations: &[(u64, u64)]) -> BTreeMap<u64, u64> {
    let mut steps = BTreeMap::new();
    for &(micros, count) in durations {
        *steps.entry(step(micros)).or_default() += count;
    }
    steps
}

/// The middle of the step: of a number's bits the first five count.
fn step(micros: u64) -> u64 {
    let below = (u64::BITS - micros.leading_zeros()).saturating_sub(5);
    let half = (1 << below) / 2;
    (micros >> below << below) + half
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_step_is_near_what_it_stands_for() {
        for micros in (0..100_000).chain([u64::MAX / 2, u64::MAX]) {
            assert!(step(micros).abs_diff(micros) <= micros / 31, "{micros}");
        }
        let steps: BTreeSet<u64> = (0..100_000).map(step).collect();
        assert!(steps.len() < 250, "{}", steps.len());
    }

    #[test]
    fn the_durations_of_many_add_up_to_the_percentiles_of_all() {
        let slot = |durations: &[(u64, u64)]| -> HashMap<String, u64> {
            let steps = by_step(durations).into_iter();
            steps
                .map(|(step, count)| (format!("micros:{step}"), count))
                .collect()
        };
        let slots = [
            slot(&[(100, 900), (200, 70)]),
            slot(&[(5_000, 20), (100, 10)]),
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
    fn counts_beyond_all_measure_are_no_panic() {
        let slot = || {
            HashMap::from([
                ("requests".to_owned(), u64::MAX),
                ("micros:18446744073709551615".to_owned(), u64::MAX),
                ("micros:x".to_owned(), 1),
            ])
        };
        let figures = sum(&[slot(), slot()], 0, u64::MAX);
        assert_eq!(figures.requests_per_minute, u64::MAX);
        assert!(figures.check.is_some());
    }

    #[test]
    fn of_the_oldest_slot_counts_what_is_within_the_minute() {
        let slot = || HashMap::from([("requests".to_owned(), 100), ("limited".to_owned(), 10)]);
        let slots: Vec<_> = (0..=SLOTS).map(|_| slot()).collect();
        let figures = sum(&slots, 3_000, 7);
        assert_eq!(figures.requests_per_minute, 670);
        assert_eq!(figures.limited_per_minute, 67);
        assert_eq!(figures.limited_clients, 7);
    }
}
