//! One connection of a pool: its link, which is replaced when it is lost or silent, and the queue of
//! the checks that wait for it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use arc_swap::ArcSwapOption;

use super::{batch_queue::BatchQueue, link::Link};

/// A link that left this many commands in a row unanswered is replaced: a network may drop all that
/// is sent on a connection and never close it.
const UNANSWERED_MAX: u32 = 2;

/// A connection that outlives its links.
#[derive(Default)]
pub(in super::super) struct PooledConnection {
    pub(in super::super) queue: BatchQueue,
    link: ArcSwapOption<Link>,
    unanswered: AtomicU32,
    is_connecting: AtomicBool,
}

impl PooledConnection {
    /// Returns the link if commands can be sent through it.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        let link = self.link.load();
        link.as_ref().filter(|link| link.is_open()).cloned()
    }

    /// Returns whether there is a link that commands can be sent through.
    pub(super) fn is_open(&self) -> bool {
        self.link.load().as_ref().is_some_and(|link| link.is_open())
    }

    /// Sends all further commands through this link.
    pub(super) fn install(&self, link: Arc<Link>) {
        self.link.store(Some(link));
        self.unanswered.store(0, Ordering::Relaxed);
    }

    /// Forgets the link. What was sent through it may still be answered.
    pub(super) fn close(&self) {
        self.link.store(None);
    }

    pub(super) fn count_answered(&self) {
        // Read first: what is 0 already must not cost every check a write.
        if self.unanswered.load(Ordering::Relaxed) != 0 {
            self.unanswered.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a command that was not answered, and returns whether the link is to be replaced.
    pub(super) fn count_unanswered(&self) -> bool {
        self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= UNANSWERED_MAX
    }
}

/// The right to open a link for a connection: one task has it at a time, and gives it up also when
/// its runtime ends.
#[must_use]
pub(super) struct Connecting(Arc<PooledConnection>);

impl Connecting {
    /// Returns the right, unless another task has it.
    pub(super) fn begin(connection: &Arc<PooledConnection>) -> Option<Self> {
        let is_connecting = connection.is_connecting.swap(true, Ordering::AcqRel);
        // Made by the task that got it only: the end of another would give the right up.
        (!is_connecting).then(|| Self(connection.clone()))
    }

    pub(super) fn connection(&self) -> &PooledConnection {
        &self.0
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.is_connecting.store(false, Ordering::Release);
    }
}
