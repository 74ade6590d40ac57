//! Turning the limits off for everybody in an emergency, by a switch that turns itself off.

use std::{
    sync::PoisonError,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::RateLimiter;
use crate::{
    clock::{Clock, micros},
    foreign_text::ForeignText,
    store::StoreError,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

/// The longest time that a switch can be on. It is for emergencies.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// In bytes.
pub(super) const LONGEST_REASON: usize = 500;

/// Nobody is limited, for a time; see [`RateLimiter::start_bypass`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bypass {
    /// Why, in the words of whoever started it.
    pub reason: String,
    /// Since when.
    pub since: SystemTime,
    /// When it ends by itself: 24 hours after it was started at the latest, also if the store says that
    /// it lasts longer.
    pub until: SystemTime,
}

/// Why a bypass could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BypassError {
    /// It has to be said why.
    #[error(
        "a bypass needs a reason of 1 to {LONGEST_REASON} bytes: it is logged, and shown to others"
    )]
    Reason,
    /// It is for an emergency, and turns itself off.
    #[error("a bypass lasts for longer than zero and for 24 hours at the most")]
    Time,
    /// The other processes could not be told. In this one it is on all the same, and the others are
    /// told as soon as the store can be asked.
    #[error(
        "the bypass is on in this process, and the others are told when the store can be asked: {0}"
    )]
    Store(#[from] StoreError),
}

/// The switch, as this process knows it.
#[derive(Default)]
pub(super) struct Switch {
    /// In the time of the limiter's clock; 0 when it is off. Read by every request.
    until: AtomicU64,
    state: Mutex<State>,
    /// Held while the store is told.
    telling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    bypass: Option<Bypass>,
    /// Counts the changes that were made here: what the store says of the time before one is old.
    version: u64,
    /// The store does not know of the last one.
    unsaved: bool,
    /// The last one that ended by itself here. The store may not have ended it yet, or never.
    ended: Option<Started>,
    /// The one that the last line of the log was about; `None` if that was about an end.
    logged: Option<Started>,
    /// The time of that line, by the limiter's clock.
    logged_at: Option<u64>,
}

/// What tells a bypass from another one: its reason, and when it was started.
type Started = (String, SystemTime);

fn started(bypass: &Bypass) -> Started {
    (bypass.reason.clone(), bypass.since)
}

/// The time between two lines of the log about bypasses that were read in the store, where another one
/// may be found each time.
const LOG_PAUSE: Duration = Duration::from_secs(1);

impl Switch {
    #[inline]
    pub(super) fn is_on(&self, clock: &dyn Clock) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until != 0 && clock.now_micros() < until
    }

    fn bypass(&self, clock: &dyn Clock) -> Option<Bypass> {
        let state = self.lock();
        state.bypass.clone().filter(|_| self.is_on(clock))
    }

    /// What was decided here: to be saved, if there are others.
    fn set(&self, bypass: Option<Bypass>, lasts: Duration, clock: &dyn Clock) {
        let mut state = self.lock();
        state.version += 1;
        state.unsaved = true;
        self.change(&mut state, bypass, lasts, clock);
        state.log(lasts, clock.now_micros());
    }

    /// Has the store told of a bypass that was started or ended here, if it does not know. One does
    /// so at a time: else what was decided first might be written last.
    pub(super) async fn tell<W>(
        &self,
        write: impl FnOnce(Option<Bypass>) -> W,
    ) -> Result<(), StoreError>
    where
        W: Future<Output = Result<(), StoreError>>,
    {
        let _telling = self.telling.lock().await;
        let Some((version, bypass)) = self.unsaved() else {
            return Ok(());
        };
        write(bypass).await?;
        let mut state = self.lock();
        state.unsaved &= state.version != version;
        Ok(())
    }

    /// Does what another process has decided, by what is read in the store.
    pub(super) async fn follow<R>(&self, read: R, clock: &dyn Clock) -> Result<(), StoreError>
    where
        R: Future<Output = Result<Option<(Bypass, Duration)>, StoreError>>,
    {
        let Some(version) = self.saved_version() else {
            return Ok(());
        };
        let found = read.await?;
        self.heed(version, found, clock);
        Ok(())
    }

    /// Does what was found in the store, unless something was decided here since `version`.
    fn heed(&self, version: u64, found: Option<(Bypass, Duration)>, clock: &dyn Clock) {
        let mut state = self.lock();
        if state.version != version || state.unsaved {
            return;
        }
        let has_ended = |bypass: &Bypass| state.ended.as_ref() == Some(&started(bypass));
        let found = found.filter(|(bypass, _)| !has_ended(bypass));
        let (bypass, lasts) = found.unzip();
        let lasts = lasts.unwrap_or_default();
        // If it is known, its end is known as well, and to the microsecond where it was started here.
        if state.bypass.as_ref().map(started) != bypass.as_ref().map(started) {
            self.change(&mut state, bypass, lasts, clock);
        }
        state.log_if_due(lasts, clock.now_micros());
    }

    fn change(
        &self,
        state: &mut State,
        bypass: Option<Bypass>,
        lasts: Duration,
        clock: &dyn Clock,
    ) {
        let until = match bypass {
            Some(_) => clock.now_micros().saturating_add(micros(lasts)),
            None => 0,
        };
        state.bypass = bypass;
        self.until.store(until, Ordering::Relaxed);
    }

    /// Says that it has ended, if it has by itself.
    pub(super) fn tick(&self, clock: &dyn Clock) {
        if self.until.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut state = self.lock();
        // Looked at again: another may just have been started.
        if state.bypass.is_some() && !self.is_on(clock) {
            // What the store was not told of by now it need not know, and another process may have
            // told it of one that is on.
            state.unsaved = false;
            state.ended = state.bypass.as_ref().map(started);
            self.change(&mut state, None, Duration::ZERO, clock);
            state.log(Duration::ZERO, clock.now_micros());
        }
    }

    /// The version, if the store knows of it. If not, what is read there may be from before it.
    fn saved_version(&self) -> Option<u64> {
        let state = self.lock();
        (!state.unsaved).then_some(state.version)
    }

    /// The state that the store is to know of, and its version.
    fn unsaved(&self) -> Option<(u64, Option<Bypass>)> {
        let state = self.lock();
        state.unsaved.then(|| (state.version, state.bypass.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Logs whether a bypass is on, unless the last line says so. `lasts` is until when.
    fn log(&mut self, lasts: Duration, now: u64) {
        let current = self.bypass.as_ref().map(started);
        if current == self.logged {
            return;
        }
        self.logged = current;
        self.logged_at = Some(now);
        if let Some(bypass) = &self.bypass {
            tracing::warn!(
                reason = ForeignText(&bypass.reason).to_string(),
                seconds = lasts.as_secs(),
                "the rate limits are bypassed: no request is limited until it ends"
            );
        } else {
            tracing::warn!("the bypass of the rate limits has ended");
        }
    }

    /// Logs it unless the last line is less than a second old. The next call logs what this one leaves
    /// out.
    fn log_if_due(&mut self, lasts: Duration, now: u64) {
        let pause = micros(LOG_PAUSE);
        if self.logged_at.is_none_or(|at| now.abs_diff(at) >= pause) {
            self.log(lasts, now);
        }
    }
}

/// As it is kept in a store.
fn whole_millis(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let part = u64::from(since.subsec_millis());
    UNIX_EPOCH + Duration::from_secs(since.as_secs()) + Duration::from_millis(part)
}

impl RateLimiter {
    /// Limits nobody for this time: in an emergency, when the limits themselves are what is wrong.
    /// It ends by itself.
    ///
    /// All processes follow within a second if the store has a [fleet
    /// store](crate::Store::fleet_store), as a `RedisStore` does; otherwise this process alone.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ratelimit::RateLimiter;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let limiter = RateLimiter::default();
    /// limiter.start_bypass("incident 42: partners are limited", Duration::from_secs(600)).await?;
    /// assert!(limiter.bypass().is_some());
    /// limiter.end_bypass().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The reason is empty or long, the time is zero or more than a day, or other processes cannot
    /// be told yet.
    pub async fn start_bypass(&self, reason: &str, time: Duration) -> Result<Bypass, BypassError> {
        let reason = reason.trim();
        if reason.is_empty() || reason.len() > LONGEST_REASON {
            return Err(BypassError::Reason);
        }
        if time.is_zero() || time > LONGEST {
            return Err(BypassError::Time);
        }
        let since = whole_millis(SystemTime::now());
        let bypass = Bypass {
            reason: reason.to_owned(),
            since,
            until: since + time,
        };
        self.switch(Some(bypass.clone()), time).await?;
        Ok(bypass)
    }

    /// Limits everybody again.
    ///
    /// # Errors
    ///
    /// The other processes cannot be told yet. In this one it has ended all the same.
    pub async fn end_bypass(&self) -> Result<(), StoreError> {
        self.switch(None, Duration::ZERO).await
    }

    /// The bypass that is on, if one is.
    pub fn bypass(&self) -> Option<Bypass> {
        self.0.watch.bypass.bypass(&*self.0.clock)
    }

    async fn switch(&self, bypass: Option<Bypass>, lasts: Duration) -> Result<(), StoreError> {
        self.0.watch.bypass.set(bypass, lasts, &*self.0.clock);
        if let Some(shared) = self.0.store.fleet() {
            self.tell_of_bypass(shared).await?;
        }
        Ok(())
    }
}

#[cfg(all(test, shuttle))]
mod models;
