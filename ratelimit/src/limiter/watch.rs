//! What goes on beside the requests: once a second a limiter's counts become a history, and a bypass
//! that is over is said to be.
//!
//! One thread does it for all limiters of the program. It is no task, since limiters are used in
//! runtimes that have no timer, in several of them, and in none.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use super::{bypass::Switch, notice::Notice};
#[cfg(feature = "metrics")]
use crate::{client::LookUps, observe::export, store::AnyStore};
use crate::{clock::Clock, observe::Observer};

/// What a limiter shares with the thread.
pub(super) struct Watch {
    pub(super) observer: Observer,
    pub(super) bypass: Switch,
    pub(super) clock: Arc<dyn Clock>,
    #[cfg(feature = "metrics")]
    pub(super) store: AnyStore,
    /// Those of the tiers of API keys, if they are looked up.
    #[cfg(feature = "metrics")]
    pub(super) look_ups: Option<Arc<LookUps>>,
    pub(super) panicked: Notice,
}

impl Watch {
    /// A second is over. A step that calls code of the application's, a clock or a metrics recorder,
    /// may panic: the others are done all the same.
    fn tick(&self) {
        let step = |step: &dyn Fn()| {
            if catch_unwind(AssertUnwindSafe(step)).is_err() {
                self.panicked.once(|| {
                    tracing::error!(
                        "the application's clock or metrics recorder panicked in the rate limiter's background \
                         thread, which goes on; the panic itself is where the program's panics are reported"
                    );
                });
            }
        };
        step(&|| self.bypass.tick(&*self.clock));
        #[cfg(feature = "metrics")]
        step(&|| self.export());
        step(&|| self.observer.tick());
    }

    /// Exports the second that ends, before the observer begins the next.
    #[cfg(feature = "metrics")]
    fn export(&self) {
        self.observer.export();
        export::bypass(self.bypass.is_on(&*self.clock));
        if let Some(health) = self.store.health() {
            export::store_up(health.is_up);
        }
        if let Some(look_ups) = &self.look_ups {
            export::look_ups(&look_ups.take());
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// The limiters of the program that there still are.
static WATCHED: Mutex<Watched> = Mutex::new(Watched {
    limiters: Vec::new(),
    has_thread: false,
});

struct Watched {
    limiters: Vec<Weak<Watch>>,
    has_thread: bool,
}

/// Ticks from now on, for as long as there is the limiter.
pub(super) fn begin(watch: &Arc<Watch>) {
    let mut watched = lock();
    watched.limiters.push(Arc::downgrade(watch));
    if !watched.has_thread {
        let thread = thread::Builder::new().name("ratelimit".to_owned());
        match thread.spawn(tick_each_second) {
            Ok(_) => watched.has_thread = true,
            Err(error) => tracing::error!(
                error = error.to_string(),
                "the stats of the rate limiter stand still, since its thread cannot be started"
            ),
        }
    }
}

/// Ends when there are no limiters any more.
fn tick_each_second() {
    let mut next = Instant::now() + SECOND;
    loop {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        // After a machine has slept, the seconds that it missed are not made up for.
        next = Instant::now().max(next) + SECOND;
        let mut live = Vec::new();
        {
            let mut watched = lock();
            watched.limiters.retain(|limiter| {
                let watch = limiter.upgrade();
                let lives = watch.is_some();
                live.extend(watch);
                lives
            });
            if live.is_empty() {
                watched.has_thread = false;
                return;
            }
        }
        for watch in live {
            // With the drop of what may be the last reference to an application's clock.
            let _ = catch_unwind(AssertUnwindSafe(move || watch.tick()));
        }
    }
}

fn lock() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    #[cfg(feature = "metrics")]
    use crate::observe::BrokenRecorder;
    use crate::{limiter::RateLimiter, store::MemoryStore};

    /// A clock that panics from some time on.
    #[derive(Clone, Default)]
    struct Breakable(Arc<AtomicBool>);

    impl Clock for Breakable {
        fn now_micros(&self) -> u64 {
            assert!(!self.0.load(Ordering::Relaxed), "a broken clock");
            1
        }
    }

    fn seconds(limiter: &RateLimiter) -> usize {
        limiter.history(None).len()
    }

    #[tokio::test]
    async fn a_clock_that_panics_ends_the_ticks_of_no_limiter() {
        let clock = Breakable::default();
        let store = MemoryStore::new().with_clock(clock.clone());
        let broken = RateLimiter::builder().store(store).build();
        let broken = broken.expect("nothing is wrong with it");
        // During a bypass the clock is read at each tick.
        let bypass = broken.start_bypass("a test", SECOND * 3_600).await;
        assert!(bypass.is_ok());
        clock.0.store(true, Ordering::Relaxed);
        let limiters = [broken, RateLimiter::default()];
        let began = Instant::now();
        // After two more seconds, the thread has outlived a tick with the broken clock.
        let before = limiters.each_ref().map(seconds);
        while limiters
            .each_ref()
            .map(seconds)
            .iter()
            .zip(before)
            .any(|(now, before)| *now < before + 2)
        {
            assert!(began.elapsed() < 10 * SECOND, "the thread has ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[cfg(feature = "metrics")]
    #[test]
    fn a_recorder_that_panics_does_not_stop_the_history() {
        // Not one that the thread ticks for, which has another recorder.
        let watch = Watch {
            observer: Observer::new(),
            bypass: Switch::default(),
            clock: Arc::new(Breakable::default()),
            store: AnyStore::new(MemoryStore::new()),
            look_ups: None,
            panicked: Notice::default(),
        };
        let began = Instant::now();
        // The history grows when the second has changed.
        while watch.observer.history_after(0).is_empty() {
            assert!(began.elapsed() < 10 * SECOND, "the history stands still");
            metrics::with_local_recorder(&BrokenRecorder, || watch.tick());
            thread::sleep(Duration::from_millis(20));
        }
    }
}
