//! The probes of one outage, several of which may run at once.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use super::StoreError;

/// The most probes that run at once. Beyond that the oldest one, which has run for eight seconds, is
/// given up.
pub(super) const PROBES_MAX: usize = 16;

pub(super) type Probe = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// The probes that run, oldest first.
#[derive(Default)]
pub(super) struct Probes(VecDeque<Probe>);

impl Probes {
    pub(super) fn push(&mut self, probe: Probe) {
        if self.0.len() == PROBES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(probe);
    }

    /// Waits for the next probe that ends, and returns its result.
    pub(super) async fn next(&mut self) -> Result<(), StoreError> {
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
