//! One of several connections, and how one that is dead is noticed though it does not say so.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use super::{
    line::Line,
    link::{Link, Target},
};

/// After so many questions in a row without an answer another connection takes its place: a network
/// may lose all that is sent on one and never close it, and a login that was refused once is not
/// tried again by the redis crate.
const UNANSWERED: u32 = 2;

pub(in super::super) struct Slot {
    pub(in super::super) line: Line,
    link: ArcSwap<Link>,
    unanswered: AtomicU32,
    is_renewed: AtomicBool,
}

impl Slot {
    pub(super) fn new(link: Link) -> Arc<Self> {
        Arc::new(Self {
            line: Line::default(),
            link: ArcSwap::from_pointee(link),
            unanswered: AtomicU32::new(0),
            is_renewed: AtomicBool::new(false),
        })
    }

    pub(super) fn link(&self) -> Link {
        Link::clone(&self.link.load())
    }

    pub(super) fn was_answered(&self) {
        // Read first: what is 0 already must not cost every check a write.
        if self.unanswered.load(Ordering::Relaxed) != 0 {
            self.unanswered.store(0, Ordering::Relaxed);
        }
    }

    /// A question had no answer.
    pub(super) fn was_not_answered(self: &Arc<Self>, target: &Arc<Target>) {
        if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 < UNANSWERED {
            return;
        }
        // Without a runtime nobody could; the next question will.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.is_renewed.swap(true, Ordering::Relaxed) {
            return;
        }
        let (renewal, target) = (Renewal(self.clone()), target.clone());
        runtime.spawn(async move {
            // If none comes about, the questions to come find out, or the breaker has.
            if let Ok(link) = target.connect().await {
                renewal.0.link.store(Arc::new(link));
                renewal.0.unanswered.store(0, Ordering::Relaxed);
            }
        });
    }
}

/// The one renewal there is, which is over when this is dropped: the runtime may end before it does.
struct Renewal(Arc<Slot>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.is_renewed.store(false, Ordering::Relaxed);
    }
}
