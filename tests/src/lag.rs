//! How late a machine is on which much else goes on, so that a bound on time can allow for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;

const STEP: Duration = Duration::from_millis(5);

/// Measures, until it is dropped, by how much a task of this runtime is woken too late.
#[derive(Debug)]
pub struct Lag {
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// In microseconds since `begin`.
#[derive(Debug)]
struct Seen {
    begin: Instant,
    due: AtomicU64,
    worst: AtomicU64,
}

impl Lag {
    /// Begins to measure.
    pub fn measure() -> Self {
        let seen = Arc::new(Seen {
            begin: Instant::now(),
            due: AtomicU64::new(u64::MAX),
            worst: AtomicU64::new(0),
        });
        let task = tokio::spawn(wake(seen.clone()));
        Self { seen, task }
    }

    /// The worst since this was last asked.
    pub fn worst(&self) -> Duration {
        let worst = self.seen.worst.swap(0, Ordering::Relaxed);
        // It may not even have been woken yet.
        Duration::from_micros(worst.max(self.seen.late()))
    }
}

impl Seen {
    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn late(&self) -> u64 {
        self.now().saturating_sub(self.due.load(Ordering::Relaxed))
    }
}

async fn wake(seen: Arc<Seen>) {
    loop {
        let due = Instant::now() + STEP;
        let due_at = u64::try_from((due - seen.begin).as_micros()).unwrap_or(u64::MAX);
        seen.due.store(due_at, Ordering::Relaxed);
        tokio::time::sleep_until(due.into()).await;
        seen.worst.fetch_max(seen.late(), Ordering::Relaxed);
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.task.abort();
    }
}
