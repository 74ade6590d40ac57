//! The number of buckets that a store may hold, counted over all of its shards.
//!
//! Shards get unequal numbers of clients, so a limit for each of them would evict clients from one
//! while there is room in another.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// The count has a cache line to itself: it is written when a client is new, and the fields next to
/// it would be read by every check.
#[repr(align(64))]
pub(super) struct Capacity {
    limit: usize,
    held: AtomicUsize,
}

impl Capacity {
    /// Room for `limit` buckets, and for at least one.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            held: AtomicUsize::new(0),
        }
    }

    /// Counts one more bucket, unless the store is full. A full store's count is only read.
    pub(super) fn try_reserve(&self) -> bool {
        let one_more = |held: usize| (held < self.limit).then_some(held + 1);
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    /// Counts one more bucket than there is room for.
    pub(super) fn exceed(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts this many buckets less.
    pub(super) fn release(&self, buckets: usize) {
        self.held.fetch_sub(buckets, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}
