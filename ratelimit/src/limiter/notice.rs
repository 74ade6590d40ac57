//! What is worth saying once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Says something the first time, and nothing after that.
#[derive(Default)]
pub(super) struct Notice(AtomicBool);

impl Notice {
    /// Returns whether it has been said.
    #[inline]
    pub(super) fn is_said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn once(&self, say: impl FnOnce()) {
        // Read first: what is said already must not cost the next requests a write.
        if !self.is_said() && !self.0.swap(true, Ordering::Relaxed) {
            say();
        }
    }
}
