//! Gives back what is not spent: at a slice's end, and when the process ends.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinSet};

use super::{Held, Unspent};
use crate::{
    store::{Bucket, BucketKey, redis::RedisStore},
    sync::{Mutex, MutexGuard},
};

/// How often it is looked whether a slice is over, while there is any.
const PERIOD: Duration = Duration::from_millis(50);

/// So many are given back at once.
const TOGETHER: usize = 64;

/// What has been taken and must be spent or given back.
#[derive(Default)]
pub(super) struct Keeper {
    kept: Mutex<Kept>,
    /// Held while something is given back, so that who gives back the last of it waits for all.
    giving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
pub(super) struct Kept {
    /// Those that may have something left.
    held: HashMap<BucketKey, Arc<Held>>,
    /// What has no slice any more.
    unspent: Vec<(Bucket, Unspent)>,
    has_task: bool,
}

/// The one that gives back, as long as there is anything.
struct Task {
    store: RedisStore,
    /// It has nothing more to do, and has said so while nobody could add to it.
    is_done: bool,
}

impl Drop for Task {
    fn drop(&mut self) {
        if !self.is_done {
            self.store.leases.keeper.kept().has_task = false;
        }
    }
}

impl Keeper {
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Sees to it that the rest of a new slice goes back.
    pub(super) fn insert(&mut self, held: &Arc<Held>) {
        let before = self.held.insert(held.books.key(), held.clone());
        // The bucket was forgotten here, among many others, and is leased again.
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, held)) {
            let left = before.slice().close();
            self.unspent.extend(left.map(|left| (before.books, left)));
        }
    }

    /// What goes back: of all slices, or of those that are over at a time.
    pub(super) fn take(&mut self, over_at: Option<u64>) -> Vec<(Bucket, Unspent)> {
        let mut unspent = std::mem::take(&mut self.unspent);
        self.held.retain(|_, held| {
            let mut slice = held.slice();
            let Some(ends_at) = slice.ends_at() else {
                return false;
            };
            if over_at.is_some_and(|now| now < ends_at) {
                return true;
            }
            let left = slice.close();
            unspent.extend(left.map(|left| (held.books, left)));
            false
        });
        unspent
    }
}

impl RedisStore {
    /// Sees to it that the rest of a new slice goes back.
    pub(super) fn keep(&self, held: &Arc<Held>) {
        let mut kept = self.leases.keeper.kept();
        kept.insert(held);
        self.see_to(kept);
    }

    /// Gives back soon what nobody will spend.
    pub(super) fn return_later(&self, books: &Bucket, unspent: Unspent) {
        let mut kept = self.leases.keeper.kept();
        kept.unspent.push((*books, unspent));
        self.see_to(kept);
    }

    fn see_to(&self, mut kept: MutexGuard<'_, Kept>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !kept.has_task {
            kept.has_task = true;
            // Not while it is locked: where the runtime ends, the task is dropped here.
            drop(kept);
            let task = Task {
                store: self.clone(),
                is_done: false,
            };
            runtime.spawn(give_back_while_there_is_any(task));
        }
    }

    /// Gives back what this process has leased and not spent, also if this future is dropped before
    /// all of it is back.
    pub(crate) async fn give_back_leases(&self) {
        let unspent = self.leases.keeper.kept().take(None);
        let giving = self.clone().give_back(unspent);
        // Only a runtime that ends keeps the task from its end.
        let _ = tokio::spawn(giving).await;
    }

    async fn give_back(self, unspent: Vec<(Bucket, Unspent)>) {
        let _giving = self.leases.keeper.giving.lock().await;
        for some in unspent.chunks(TOGETHER) {
            let mut refunds = JoinSet::new();
            for &(books, Unspent { cost, taken }) in some {
                let store = self.clone();
                refunds.spawn(async move {
                    let run = store.run(store.budget());
                    // What cannot be given back is lost: nobody is admitted for it.
                    let _ = run.refund(&books, cost, taken.at_micros).await;
                });
            }
            while refunds.join_next().await.is_some() {}
        }
    }
}

async fn give_back_while_there_is_any(mut task: Task) {
    let store = task.store.clone();
    loop {
        let unspent = {
            let mut kept = store.leases.keeper.kept();
            let unspent = kept.take(Some(store.leases.clock.now_micros()));
            if unspent.is_empty() && kept.held.is_empty() {
                kept.has_task = false;
                task.is_done = true;
                return;
            }
            unspent
        };
        store.clone().give_back(unspent).await;
        store.leases.clock.sleep(PERIOD).await;
    }
}
