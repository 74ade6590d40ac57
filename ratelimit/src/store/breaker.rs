//! The circuit breaker before a store that may be slow or gone.
//!
//! After a few failures in a row no request is sent to the store any more, so that an outage costs
//! requests no time; a task of its own finds out when the store answers again. (The pattern is Michael
//! Nygard's, in *Release It!*; here the half-open state is a probe that no request waits for.)
//!
//! Probes overlap: one that hangs, since the store came back just too late for it, does not delay the
//! next. The first that succeeds ends the outage.

mod probes;

use std::{
    future::Future,
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until},
};

use self::probes::{Probe, Probes};
use super::{
    StoreError,
    health::{HealthRecord, StoreHealth},
};
use crate::{
    log_throttle::LogThrottle,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

/// So many failures in a row are an outage. One is not: a connection may just have been lost.
const FAILURES: u32 = 3;

/// The time before the first probe, which doubles from one to the next: where connections were lost
/// and nothing else, new ones come about at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest time between the beginnings of two probes.
const PAUSE: Duration = Duration::from_millis(500);

/// Its clones are the same breaker.
#[derive(Clone)]
pub(crate) struct Breaker(Arc<Inner>);

struct Inner {
    failures: AtomicU32,
    /// How many outages there were. A question that was asked before one is no sign of the next.
    outages: AtomicU32,
    is_open: AtomicBool,
    /// Whether the beginning of an outage was recorded, and its end was not yet.
    is_recorded: AtomicBool,
    record: HealthRecord,
    /// Throttles the log lines of a store that goes down and comes up many times a second.
    beginnings: LogThrottle,
    /// The server that this breaker is of, if the store has several.
    server: Mutex<Option<String>>,
    probe: Box<dyn Fn() -> Probe + Send + Sync>,
}

impl Breaker {
    /// A closed breaker. The probe asks the store as checks do.
    pub(crate) fn new<F>(probe: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        Self::of_shard(HealthRecord::new(), None, probe)
    }

    /// Creates a closed breaker of one of several shards, whose outages go into the record of all.
    pub(crate) fn of_shard<F>(
        record: HealthRecord,
        server: Option<String>,
        probe: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        Self(Arc::new(Inner {
            failures: AtomicU32::new(0),
            outages: AtomicU32::new(0),
            is_open: AtomicBool::new(false),
            is_recorded: AtomicBool::new(false),
            record,
            beginnings: LogThrottle::default(),
            server: Mutex::new(server),
            probe: Box::new(move || Box::pin(probe())),
        }))
    }

    /// Sets which server the shard has from now on.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_server(&self, server: String) {
        let mut current = self.0.server.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(server);
    }

    /// The answer to a question, which is not asked during an outage. (It is begun here, since a
    /// future that is handed on is copied, with all the room that it will ever need.)
    pub(crate) async fn ask<T, F>(&self, question: impl FnOnce() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        if self.0.is_open.load(Ordering::Relaxed) {
            return Err(StoreError::not_asked());
        }
        let outages = self.0.outages.load(Ordering::Relaxed);
        let answer = question().await;
        match &answer {
            Err(error) if error.is_outage() => {
                // Those that an outage leaves without an answer time out when it may be over.
                if self.0.outages.load(Ordering::Relaxed) == outages {
                    self.failed(error);
                }
            }
            _ => self.answered(),
        }
        answer
    }

    /// Returns whether this shard is not asked.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_open.load(Ordering::Relaxed)
    }

    /// Returns whether the store is asked: all of its shards, if it has several.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.record.is_up()
    }

    /// Returns the health of the store: of all its shards, if it has several.
    pub(crate) fn health(&self) -> StoreHealth {
        self.0.record.health()
    }

    fn answered(&self) {
        // Read first: what is 0 already must not cost every check a write.
        if self.0.failures.load(Ordering::Relaxed) != 0 {
            self.0.failures.store(0, Ordering::Relaxed);
        }
    }

    fn failed(&self, error: &StoreError) {
        if self.0.failures.fetch_add(1, Ordering::Relaxed) + 1 < FAILURES {
            return;
        }
        // Without a runtime nobody could find out when the outage is over.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.0.open() {
            return;
        }
        // First: a panic of the application's subscriber must not leave the breaker open for ever.
        let mut outage = self.outage();
        outage.begins(error);
        runtime.spawn(outage.probe_until_over(FIRST_PAUSE));
    }

    /// Begins with an outage of a store that has not been asked yet: the first probe comes at once,
    /// and only if that has no answer is there something to say.
    #[cfg(feature = "redis")]
    pub(crate) fn open_until_answered(&self) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.0.open() {
            return;
        }
        runtime.spawn(self.outage().probe_until_over(Duration::ZERO));
    }

    fn outage(&self) -> Outage {
        Outage {
            breaker: Arc::downgrade(&self.0),
            is_logged: false,
        }
    }
}

impl Inner {
    /// Opens it, and returns whether it was closed.
    fn open(&self) -> bool {
        let opens = !self.is_open.swap(true, Ordering::Relaxed);
        if opens {
            self.outages.fetch_add(1, Ordering::Relaxed);
            self.record.add_unavailable();
        }
        opens
    }

    /// Closes it. An outage that was recorded has ended.
    fn close(&self) {
        self.failures.store(0, Ordering::Relaxed);
        if self.is_recorded.swap(false, Ordering::Relaxed) {
            self.record.came_up(self.server());
        }
        if self.is_open.swap(false, Ordering::Relaxed) {
            self.record.remove_unavailable();
        }
    }

    /// Records the beginning of an outage, once.
    fn record_beginning(&self, error: &StoreError) {
        if self.is_recorded.swap(true, Ordering::Relaxed) {
            return;
        }
        self.record.went_down(error, self.server());
        // It is a request that gets here, and a recorder that panics must not end it.
        #[cfg(feature = "metrics")]
        let _ = std::panic::catch_unwind(|| {
            metrics::counter!("ratelimit_store_outages_total").increment(1);
        });
    }

    /// Logs that an outage has begun, and returns whether a line was due.
    fn log_beginning(&self, error: &StoreError) -> bool {
        let mut is_logged = false;
        self.beginnings.log(|_| {
            is_logged = true;
            tracing::error!(
                error = error.to_string(),
                server = self.server(),
                outages = self.outages.load(Ordering::Relaxed),
                "no request is sent to the store of the rate limits until a probe succeeds; meanwhile \
                 limits are kept as on_store_error says"
            );
        });
        is_logged
    }

    fn log_end(&self) {
        if let Some(server) = self.server() {
            tracing::info!(
                server,
                "a shard of the store of the rate limits answers again"
            );
        } else {
            tracing::info!("the store of the rate limits answers again");
        }
    }

    fn server(&self) -> Option<String> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.clone()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A shard that is no more has no outage: others have its slots.
        self.close();
    }
}

/// An open breaker, which closes at the latest when this is dropped: the runtime that probes may
/// end before the store's other users do.
struct Outage {
    breaker: Weak<Inner>,
    /// Whether its beginning was logged, and its end has to be. One of a store that goes down again
    /// within a second is logged when it has lasted until the next line is due.
    is_logged: bool,
}

impl Outage {
    /// Probes until the store answers, or has no users any more.
    async fn probe_until_over(mut self, mut pause: Duration) {
        let mut probes = Probes::default();
        let mut next_at = Instant::now() + pause;
        loop {
            tokio::select! {
                biased;
                result = probes.next() => match result {
                    Ok(()) => return self.ends(),
                    Err(error) => self.begins(&error),
                },
                () = sleep_until(next_at) => {
                    let Some(breaker) = self.breaker.upgrade() else {
                        return;
                    };
                    probes.push((breaker.probe)());
                    pause = (2 * pause).clamp(FIRST_PAUSE, PAUSE);
                    next_at = Instant::now() + pause;
                }
            }
        }
    }

    /// Records and logs the beginning, unless that is done.
    fn begins(&mut self, error: &StoreError) {
        if self.is_logged {
            return;
        }
        if let Some(breaker) = self.breaker.upgrade() {
            self.is_logged = breaker.log_beginning(error);
            breaker.record_beginning(error);
        }
    }

    fn ends(&self) {
        if self.is_logged
            && let Some(breaker) = self.breaker.upgrade()
        {
            breaker.log_end();
        }
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        if let Some(breaker) = self.breaker.upgrade() {
            breaker.close();
        }
    }
}

#[cfg(all(test, shuttle))]
mod models;
#[cfg(test)]
mod tests;
