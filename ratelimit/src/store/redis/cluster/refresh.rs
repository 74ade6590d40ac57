//! How the slot map is kept up to date: it is fetched again when a server says that a slot has moved,
//! and with each probe of a shard that is out.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use redis::RedisError;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    Cluster, ClusterShard,
    discovery::{Discovery, Source, discover},
    slot_map::SlotMap,
};
use crate::budget::Budget;

/// The time between two refreshes that servers have caused by saying where a slot is. While slots
/// move, each that has moved is learned at once by the answer that says so.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a fetch is waited for before another one begins: the first may have begun just before the
/// servers came back, and get no answer.
const OVERLAP: Duration = Duration::from_millis(300);

/// The fetches that are under way, and the one that is to come.
#[derive(Default)]
pub(super) struct Refresh {
    /// When the last fetch began, while it is under way.
    began: Mutex<Option<Instant>>,
    /// How the last fetch ended: why there is no map, if there is none.
    outcomes: watch::Sender<Option<String>>,
    schedule: Mutex<Schedule>,
}

#[derive(Default)]
struct Schedule {
    has_task: bool,
    is_wanted: bool,
}

impl Refresh {
    /// Returns whether a fetch may begin, since none has begun a moment ago.
    fn begin(&self) -> bool {
        let mut began = lock(&self.began);
        let now = Instant::now();
        let may_begin = began.is_none_or(|began| now.duration_since(began) >= OVERLAP);
        if may_begin {
            *began = Some(now);
        }
        may_begin
    }

    fn end(&self, outcome: Option<String>) {
        *lock(&self.began) = None;
        self.outcomes.send_replace(outcome);
    }
}

impl Cluster {
    /// Fetches the slot map, or waits for the fetch that has just begun. Returns why there is no map.
    pub(super) async fn refresh(&self) -> Result<(), String> {
        let mut outcomes = self.refresh.outcomes.subscribe();
        while !self.refresh.begin() {
            if timeout(OVERLAP, outcomes.changed()).await.is_ok() {
                return outcomes.borrow().clone().map_or(Ok(()), Err);
            }
        }
        let budget = Budget::start(self.settings.connect_timeout);
        let outcome = match self.discover_again(budget).await {
            Ok(Discovery { map, .. }) => {
                self.apply(&map);
                None
            }
            Err(error) => Some(self.reason(error.as_ref())),
        };
        self.refresh.end(outcome.clone());
        outcome.map_or(Ok(()), Err)
    }

    /// Has the slot map fetched in the background: now, or when the last refresh is a while ago.
    pub(super) fn refresh_soon(&self) {
        // Without a runtime nothing can be done here; the next redirection will see to it.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut schedule = lock(&self.refresh.schedule);
        schedule.is_wanted = true;
        if !schedule.has_task {
            schedule.has_task = true;
            drop(schedule);
            runtime.spawn(refresh_while_wanted(Task(self.this.clone())));
        }
    }

    /// Uses another slot map from now on.
    pub(super) fn apply(&self, map: &SlotMap) {
        let topology = self.change(|topology| Some(topology.updated(map, self)));
        // Until it has slots, or is not used for any.
        if topology
            .shards()
            .any(|shard| topology.slots_of(shard).next().is_none())
        {
            self.refresh_soon();
        }
    }

    /// Fetches the slot map from the masters, and from the seeds if those do not answer. A master that is
    /// out may be cut off from the others, and answer with a map that is old: it is the last choice.
    async fn discover_again(&self, budget: Budget) -> Result<Discovery, Option<RedisError>> {
        let topology = self.topology.load_full();
        let (out, masters): (Vec<_>, Vec<_>) = topology
            .shards()
            .partition(|shard| shard.breaker().is_open());
        let source = |shard: &Arc<ClusterShard>| {
            Source::Master(shard.master().clone(), shard.pool().clone())
        };
        let seeds = self.seeds().filter(|seed| {
            let address = seed.address();
            let is_same = |shard: &Arc<ClusterShard>| Some(shard.master()) == address.as_ref();
            !topology.shards().any(is_same)
        });
        let choices = [
            masters.into_iter().map(source).collect(),
            seeds.collect(),
            out.into_iter().map(source).collect(),
        ];
        discover(choices, budget).await
    }
}

/// The one task that refreshes. Another one may start when it has ended, also with its runtime.
struct Task(Weak<Cluster>);

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(cluster) = self.0.upgrade() {
            lock(&cluster.refresh.schedule).has_task = false;
        }
    }
}

async fn refresh_while_wanted(mut task: Task) {
    while let Some(cluster) = task.0.upgrade() {
        {
            let mut schedule = lock(&cluster.refresh.schedule);
            if !schedule.is_wanted {
                // With the lock held: a refresh that is wanted from now on starts another task, whose
                // end is not this one's.
                schedule.has_task = false;
                task.0 = Weak::new();
                return;
            }
            schedule.is_wanted = false;
        }
        // If no server answers, the probes of the shards' breakers try again.
        let _ = cluster.refresh().await;
        drop(cluster);
        sleep(PAUSE).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
