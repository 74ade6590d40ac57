//! The time that limits are counted in.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// A source of time: microseconds since an instant of its choice.
///
/// Only differences between its readings matter. A clock may run backwards: the time of a bucket in a
/// [`MemoryStore`](crate::MemoryStore) does not.
///
/// - If a reading is up to two seconds earlier than one before, it is taken for that of another core.
///   Time stands still until the clock has caught up.
/// - If it is earlier by more, it is taken for that of a clock that was set back. Time goes on at once
///   from where it was, as fast as the clock.
///
/// Thus cores whose counters differ do not give a client more than its quota, and a clock that is set
/// back does not make a client wait longer than its quota's window, or by at most two seconds.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds since the clock's own beginning.
    fn now_micros(&self) -> u64;

    /// Lets so much of this clock's time pass.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time))
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now_micros(&self) -> u64 {
        (**self).now_micros()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        (**self).sleep(time)
    }
}

/// The machine's monotonic clock, which no change of the date moves.
///
/// It reads the processor's time stamp counter where that is constant, which takes a third of the
/// time that asking the system does, and else asks the system.
#[derive(Clone, Debug)]
pub struct MonotonicClock {
    clock: quanta::Clock,
    /// Unscaled, as it takes less to scale a difference.
    start: u64,
    /// Microseconds in 2^`SCALE` of the unscaled clock's units: one multiplication makes microseconds
    /// of them, where it takes three to have nanoseconds in between.
    scale: i64,
}

/// Enough for a day to be exact to a few microseconds, whether a unit is a nanosecond or as long as
/// that of any counter.
const SCALE: u32 = 48;

/// What the clock shows when it begins, in microseconds. Not 0: what is known of a client from
/// elsewhere may have happened before.
const BEGINNING: u64 = 1_000_000_000_000_000;

impl MonotonicClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        Self {
            start: clock.raw(),
            scale: (clock.delta_as_nanos(0, 1 << SCALE) / 1_000).cast_signed(),
            clock,
        }
    }

    /// The microseconds in a difference of the unscaled clock's readings.
    #[expect(clippy::cast_possible_truncation, reason = "292,000 years")]
    fn scaled(&self, units: i64) -> i64 {
        ((i128::from(units) * i128::from(self.scale)) >> SCALE) as i64
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    fn now_micros(&self) -> u64 {
        // Negative if this core's counter is behind that of the core that the clock began on.
        let units = self.clock.raw().wrapping_sub(self.start).cast_signed();
        BEGINNING.wrapping_add_signed(self.scaled(units))
    }
}

/// A clock that stands still until it is moved, so that a test need not sleep.
///
/// ```
/// use std::time::Duration;
/// use ratelimit::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let before = clock.now_micros();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now_micros() - before, 60_000_000);
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Manual>);

struct Manual {
    micros: AtomicU64,
    moved: Notify,
}

impl ManualClock {
    /// A clock that shows some time and stands still. Its clones are the same clock.
    pub fn new() -> Self {
        Self::at(Duration::from_micros(BEGINNING))
    }

    /// A clock that stands at `time` since its beginning.
    pub fn at(time: Duration) -> Self {
        Self(Arc::new(Manual {
            micros: AtomicU64::new(micros(time)),
            moved: Notify::new(),
        }))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.micros.fetch_add(micros(by), Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }

    /// Sets the clock to `time` since its beginning, be it in the past or in the future.
    pub fn set(&self, time: Duration) {
        self.0.micros.store(micros(time), Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }
}

/// In microseconds; 2^64 of them are 584,000 years.
pub(crate) fn micros(time: Duration) -> u64 {
    let whole = time.as_secs().saturating_mul(1_000_000);
    whole.saturating_add(u64::from(time.subsec_micros()))
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now_micros(&self) -> u64 {
        self.0.micros.load(Ordering::SeqCst)
    }

    /// Ends when the clock has been moved so far.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.now_micros().saturating_add(micros(time));
        Box::pin(async move {
            loop {
                let mut moved = pin!(self.0.moved.notified());
                // From here on no move is missed.
                moved.as_mut().enable();
                if self.now_micros() >= until {
                    return;
                }
                moved.await;
            }
        })
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock")
            .field(&Duration::from_micros(self.now_micros()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_manual_clock_sleeps_until_it_is_moved_so_far() {
        let is_over = |sleep: &mut Pin<Box<dyn Future<Output = ()> + Send + '_>>| {
            let mut context = Context::from_waker(Waker::noop());
            sleep.as_mut().poll(&mut context).is_ready()
        };
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(Duration::from_micros(10));
        assert!(!is_over(&mut sleep));
        clock.advance(Duration::from_micros(9));
        assert!(!is_over(&mut sleep));
        // It is woken up, too.
        tokio::join!(sleep, async { clock.advance(Duration::from_micros(1)) });
        let sleep = clock.sleep(Duration::from_micros(10));
        let end = clock.now_micros() + 10;
        tokio::join!(sleep, async { clock.set(Duration::from_micros(end)) });
        assert!(is_over(&mut clock.sleep(Duration::ZERO)));
    }

    #[test]
    fn the_monotonic_clock_runs_as_fast_as_its_counter_is_said_to() {
        let clock = MonotonicClock::new();
        for units in [0, 1, 999, 1_000_000, 1 << 40, 1 << 52] {
            let micros = clock.clock.delta_as_nanos(0, units) / 1_000;
            let slack = 1 + micros / 1_000_000_000;
            let scaled = clock.scaled(units.cast_signed()).cast_unsigned();
            assert!(
                scaled <= micros + 1 && micros <= scaled + slack,
                "{scaled} instead of {micros}"
            );
        }
    }

    /// A core's counter can be behind, and those of a machine that wakes up can begin again at 0.
    #[test]
    fn the_monotonic_clock_runs_before_its_start_too() {
        let mut clock = MonotonicClock::new();
        clock.start += 1 << 50;
        let ahead = clock.clock.delta_as_nanos(0, 1 << 50) / 1_000;
        let [before, after] = [(); 2].map(|()| clock.now_micros() + ahead);
        assert!(before >= BEGINNING - 1 - ahead / 1_000_000_000);
        assert!(after < BEGINNING + 60_000_000);
        assert!(after >= before);
        while clock.now_micros() + ahead <= after {
            std::hint::spin_loop();
        }
    }
}
