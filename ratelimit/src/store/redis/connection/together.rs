//! Which buckets can be checked in one step.

use super::Connections;
use crate::store::{Charge, StoreError};

impl Connections {
    /// In a cluster only those of one client, which are all on one server. Those of several may be,
    /// by chance; but what works for one address and not for the next is no use.
    pub(in super::super) fn can_take_together(&self, charges: &[Charge]) -> Result<(), StoreError> {
        if !self.is_cluster() {
            return Ok(());
        }
        let Some((first, rest)) = charges.split_first() else {
            return Ok(());
        };
        let other = rest
            .iter()
            .find(|other| other.bucket.client() != first.bucket.client());
        match other {
            None => Ok(()),
            Some(other) => Err(StoreError::refused(format!(
                "the policies `{}` and `{}` go by different clients, whose buckets Redis Cluster has \
                 on different servers, so that no check takes from both or from none; give both the \
                 same key, or make one of them a RateLimitLayer, which is a check of its own",
                first.bucket.policy().name(),
                other.bucket.policy().name(),
            ))),
        }
    }
}
