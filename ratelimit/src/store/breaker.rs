//! The circuit breaker before a store that may be slow or gone.
//!
//! After a few failures in a row no request is sent to the store any more, so that an outage costs
//! requests no time; a task of its own finds out when the store answers again. (The pattern is Michael
//! Nygard's, in *Release It!*; here the half-open state is a probe that no request waits for.)
//!
//! Probes overlap: one that hangs, since the store came back just too late for it, does not delay the
//! next. The first that succeeds ends the outage.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, PoisonError, Weak},
    task::Poll,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep_until},
};

use super::{
    StoreError,
    health::{HealthRecord, StoreHealth},
};
use crate::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// So many failures in a row are an outage. One is not: a connection may just have been lost.
const FAILURES: u32 = 3;

/// The time before the first probe, which doubles from one to the next: where connections were lost
/// and nothing else, new ones come about at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest time between the beginnings of two probes.
const PAUSE: Duration = Duration::from_millis(500);

/// The most probes that run at once. Beyond that the oldest one, which has run for eight seconds, is
/// given up.
const PROBES_MAX: usize = 16;

type Probe = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

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
        let outage = self.outage(true);
        self.0.begins(error);
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
        runtime.spawn(self.outage(false).probe_until_over(Duration::ZERO));
    }

    fn outage(&self, is_announced: bool) -> Outage {
        Outage {
            breaker: Arc::downgrade(&self.0),
            is_announced,
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

    fn begins(&self, error: &StoreError) {
        tracing::error!(
            "{error}; until a probe gets an answer nobody asks it, and limits are kept as on_store_error says"
        );
        self.is_recorded.store(true, Ordering::Relaxed);
        self.record.went_down(error, self.server());
        // It is a request that gets here, and a recorder that panics must not end it.
        #[cfg(feature = "metrics")]
        let _ = std::panic::catch_unwind(|| {
            metrics::counter!("ratelimit_store_outages_total").increment(1);
        });
    }

    fn ends(&self) {
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
    /// Whether it was logged. One that is over at the first probe never is.
    is_announced: bool,
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
                    Err(error) => self.announce(&error),
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

    fn announce(&mut self, error: &StoreError) {
        if self.is_announced {
            return;
        }
        self.is_announced = true;
        if let Some(breaker) = self.breaker.upgrade() {
            breaker.begins(error);
        }
    }

    fn ends(&self) {
        if self.is_announced
            && let Some(breaker) = self.breaker.upgrade()
        {
            breaker.ends();
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

/// The probes that run, oldest first.
#[derive(Default)]
struct Probes(VecDeque<Probe>);

impl Probes {
    fn push(&mut self, probe: Probe) {
        if self.0.len() == PROBES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(probe);
    }

    /// Waits for the next probe that ends, and returns its result.
    async fn next(&mut self) -> Result<(), StoreError> {
        poll_fn(|context| {
            for n in 0..self.0.len() {
                if let Poll::Ready(result) = self.0[n].as_mut().poll(context) {
                    drop(self.0.remove(n));
                    return Poll::Ready(result);
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(all(test, shuttle))]
mod models;

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    /// A breaker whose probes say what this says, and how many there were.
    fn breaker(answers: &Arc<AtomicBool>) -> (Breaker, Arc<AtomicU32>) {
        let probes = Arc::new(AtomicU32::new(0));
        let (answers, counter) = (answers.clone(), probes.clone());
        let breaker = Breaker::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            let answers = answers.load(Ordering::Relaxed);
            ready(answers.then_some(()).ok_or_else(|| StoreError::new("gone")))
        });
        (breaker, probes)
    }

    async fn fail(breaker: &Breaker) {
        let answer = breaker.ask(|| ready(Err::<(), _>(StoreError::new("gone"))));
        assert!(answer.await.is_err());
    }

    async fn is_asked(breaker: &Breaker) -> bool {
        breaker.ask(|| ready(Ok(()))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_failures_in_a_row_open_it_and_a_probe_closes_it() {
        let answers = Arc::new(AtomicBool::new(false));
        let (breaker, probes) = breaker(&answers);
        for _ in 0..10 {
            // Never so many in a row.
            fail(&breaker).await;
            fail(&breaker).await;
            assert!(is_asked(&breaker).await);
        }
        for _ in 0..FAILURES {
            fail(&breaker).await;
        }
        let asked = breaker.ask(pending::<Result<(), StoreError>>).await;
        assert!(asked.is_err(), "nobody waits during an outage");

        // After 50, 150, 350 and 750 ms, and then twice a second.
        tokio::time::sleep(Duration::from_millis(749)).await;
        assert_eq!(probes.load(Ordering::Relaxed), 3);
        tokio::time::sleep(6 * PAUSE + PAUSE / 2).await;
        assert!(!is_asked(&breaker).await, "the probes have had no answer");
        assert_eq!(probes.load(Ordering::Relaxed), 10);
        answers.store(true, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
        assert!(is_asked(&breaker).await);
        tokio::time::sleep(10 * PAUSE).await;
        assert_eq!(
            probes.load(Ordering::Relaxed),
            11,
            "one has, and is the last"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_with_one_bucket_is_no_outage() {
        let (breaker, _) = breaker(&Arc::default());
        for _ in 0..10 * FAILURES {
            let error = StoreError::of_one_bucket("a list, not a bucket");
            let answer = breaker.ask(|| ready(Err::<(), _>(error)));
            assert!(answer.await.is_err());
        }
        assert!(is_asked(&breaker).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hangs_delays_no_other() {
        let probes = Arc::new(AtomicU32::new(0));
        let counter = probes.clone();
        // The first five never end; each as long as its store lets it.
        let breaker = Breaker::new(move || {
            let n = counter.fetch_add(1, Ordering::Relaxed);
            async move {
                if n < 5 {
                    pending::<()>().await;
                }
                Ok(())
            }
        });
        let begin = Instant::now();
        for _ in 0..FAILURES {
            fail(&breaker).await;
        }
        while !is_asked(&breaker).await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // After 50, 150, 350, 750, 1250 and 1750 ms.
        assert_eq!(probes.load(Ordering::Relaxed), 6);
        assert!(begin.elapsed() < Duration::from_millis(1_760));
    }

    #[tokio::test(start_paused = true)]
    async fn questions_from_before_an_outage_do_not_begin_another() {
        let (breaker, _) = breaker(&Arc::new(AtomicBool::new(true)));
        let late: Vec<_> = (0..10 * FAILURES)
            .map(|_| {
                let breaker = breaker.clone();
                tokio::spawn(async move {
                    let question = async || {
                        tokio::time::sleep(2 * FIRST_PAUSE).await;
                        Err::<(), _>(StoreError::new("no answer in time"))
                    };
                    breaker.ask(question).await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        for _ in 0..FAILURES {
            fail(&breaker).await;
        }
        assert!(!is_asked(&breaker).await);
        for question in late {
            assert!(question.await.expect("no panic").is_err());
        }
        assert!(is_asked(&breaker).await);
        assert_eq!(breaker.health().outages, 1);
        for _ in 0..FAILURES {
            fail(&breaker).await;
        }
        assert!(!is_asked(&breaker).await, "later questions count");
    }

    #[tokio::test(start_paused = true)]
    async fn probes_that_hang_for_ever_are_bounded() {
        let running = Arc::new(());
        let counter = running.clone();
        let breaker = Breaker::new(move || {
            let running = counter.clone();
            async move {
                pending::<()>().await;
                drop(running);
                Ok(())
            }
        });
        for _ in 0..FAILURES {
            fail(&breaker).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        // Beside this one and the breaker's.
        assert_eq!(Arc::strong_count(&running) - 2, PROBES_MAX);
    }

    #[cfg(feature = "metrics")]
    #[tokio::test(start_paused = true)]
    async fn a_recorder_that_panics_keeps_it_neither_open_nor_closed() {
        let answers = Arc::new(AtomicBool::new(false));
        let (breaker, _) = breaker(&answers);
        let recorder = crate::observe::BrokenRecorder;
        let guard = metrics::set_default_local_recorder(&recorder);
        for _ in 0..FAILURES {
            fail(&breaker).await;
        }
        drop(guard);
        assert!(!is_asked(&breaker).await);
        answers.store(true, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
        assert!(is_asked(&breaker).await);
    }

    #[test]
    fn it_closes_with_the_runtime_that_probes() {
        let (breaker, _) = breaker(&Arc::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            for _ in 0..FAILURES {
                fail(&breaker).await;
            }
            assert!(!is_asked(&breaker).await);
        });
        drop(runtime);
        let another = tokio::runtime::Builder::new_current_thread().build();
        another.expect("a runtime").block_on(async {
            assert!(is_asked(&breaker).await, "or it would be open for ever");
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_shard_that_is_dropped_while_it_is_out_ends_its_outage() {
        let record = HealthRecord::new();
        let shard = |server: &str| {
            let gone = || ready(Err(StoreError::new("gone")));
            Breaker::of_shard(record.clone(), Some(server.to_owned()), gone)
        };
        let (kept, dropped) = (shard("redis-1:6379"), shard("redis-2:6379"));
        for _ in 0..FAILURES {
            fail(&dropped).await;
        }
        assert!(is_asked(&kept).await);
        assert!(!is_asked(&dropped).await);
        assert!(!kept.health().is_up);
        drop(dropped);
        let health = kept.health();
        assert!(health.is_up);
        let servers: Vec<_> = health
            .changes
            .iter()
            .map(|change| (change.is_up, change.server.as_deref()))
            .collect();
        let gone = Some("redis-2:6379");
        assert_eq!(servers, [(false, gone), (true, gone)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_that_probes_ends_with_the_store() {
        let (breaker, _) = breaker(&Arc::default());
        for _ in 0..FAILURES {
            fail(&breaker).await;
        }
        let tasks = || Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks(), 1);
        drop(breaker);
        tokio::time::sleep(2 * PAUSE).await;
        assert_eq!(tasks(), 0);
    }
}
