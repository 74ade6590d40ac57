//! Checks that wait for nothing.

use std::convert::Infallible;

use super::{Bucket, Charge};
use crate::algorithm::Decision;

/// The part of a store that decides without waiting.
///
/// A store returns its implementation from [`Store::sync_check`](super::Store::sync_check). The
/// limiter asks it before [`Store::check_all`](super::Store::check_all), also while the circuit
/// breaker is open, and a check that it decides allocates no future. [`MemoryStore`] decides every
/// check this way, and `RedisStore` those that a lease has room for.
///
/// [`MemoryStore`]: crate::MemoryStore
pub trait SyncCheck: Send + Sync + 'static {
    /// Decides about a request to all of these buckets, as
    /// [`Store::check_all`](super::Store::check_all) does. Returns `None` if that would have to wait, and
    /// takes nothing then.
    fn try_check_all(&self, charges: &[Charge]) -> Option<Vec<Decision>>;

    /// Decides about a request of this cost to one bucket, as [`Store::check`](super::Store::check)
    /// does. Returns `None` if that would have to wait, and takes nothing then.
    ///
    /// Nearly every request has one bucket: implementing this saves it the `Vec` of
    /// [`try_check_all`](Self::try_check_all), which the default calls.
    fn try_check(&self, bucket: &Bucket, cost: u32) -> Option<Decision> {
        let charge = Charge {
            bucket: *bucket,
            cost,
            enforced: true,
        };
        match self.try_check_all(&[charge])?[..] {
            [decision] => Some(decision),
            _ => None,
        }
    }
}

/// The synchronous part of a store that has none.
impl SyncCheck for Infallible {
    fn try_check_all(&self, _: &[Charge]) -> Option<Vec<Decision>> {
        match *self {}
    }
}
