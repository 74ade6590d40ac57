//! What goes on beside the requests: once a second a limiter's counts become a history, and a bypass
//! that is over is said to be.
//!
//! One thread does it for all limiters of the program. It is no task, since limiters are used in
//! runtimes that have no timer, in several of them, and in none.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

use super::bypass::Switch;
#[cfg(feature = "metrics")]
use crate::{client::LookUps, observe::export};
use crate::{clock::Clock, observe::Observer, store::Breaker};

/// What a limiter shares with the thread.
pub(super) struct Watch {
    pub(super) observer: Observer,
    pub(super) bypass: Switch,
    pub(super) clock: Arc<dyn Clock>,
    /// That of the store, if it is one that can be out.
    pub(super) breaker: Option<Breaker>,
    /// Those of the tiers of API keys, if they are looked up.
    #[cfg(feature = "metrics")]
    pub(super) look_ups: Option<Arc<LookUps>>,
}

impl Watch {
    fn tick(&self) {
        self.bypass.tick(&*self.clock);
        self.observer.tick();
        #[cfg(feature = "metrics")]
        self.export();
    }

    /// What the observer does not know of.
    #[cfg(feature = "metrics")]
    fn export(&self) {
        export::bypass(self.bypass.is_on(&*self.clock));
        if let Some(breaker) = &self.breaker {
            export::store_up(breaker.is_closed());
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
                "the figures of the rate limiter stand still, since its thread cannot be started: {error}"
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
            watch.tick();
        }
    }
}

fn lock() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}
