//! How far away a server is.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::clock::micros;

/// A longer time than before counts by one part in this many, so that a few answers that a busy server
/// gave late do not make it look far away.
const SLOWNESS: u64 = 64;

/// The time that an answer takes at least: the shortest lately.
#[derive(Default)]
pub(super) struct RoundTrip(AtomicU64);

impl RoundTrip {
    /// Returns the time; zero if no answer was recorded.
    pub(super) fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Records how long an answer took. Of two that are recorded at the same time one may be lost.
    pub(super) fn record(&self, took: Duration) {
        let (took, before) = (micros(took), self.0.load(Ordering::Relaxed));
        let now = if before == 0 || took < before {
            took
        } else {
            before + (took - before) / SLOWNESS
        };
        if now != before {
            self.0.store(now, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_about_the_shortest_and_follows_a_server_that_moves() {
        let round_trip = RoundTrip::default();
        let millis = Duration::from_millis;
        assert_eq!(round_trip.get(), Duration::ZERO);
        round_trip.record(millis(60));
        assert_eq!(round_trip.get(), millis(60));
        for _ in 0..10 {
            round_trip.record(millis(1));
            round_trip.record(millis(9));
        }
        assert!(round_trip.get() < millis(2), "{:?}", round_trip.get());
        for _ in 0..1_000 {
            round_trip.record(millis(60));
        }
        assert!(round_trip.get() > millis(59), "{:?}", round_trip.get());
    }
}
