//! What a Redis store can do besides deciding in one round trip.

use super::{RedisStore, RedisTiers};
use crate::{
    algorithm::Decision,
    observe::Figures,
    store::{
        Bucket, Charge, FleetBypass, FleetReport, FleetStore, StoreError, SyncCheck, TierStore,
    },
};

/// Checks that a slice of a lease has room for.
impl SyncCheck for RedisStore {
    fn try_check_all(&self, charges: &[Charge]) -> Option<Vec<Decision>> {
        match charges {
            [Charge { bucket, cost, .. }] => Some(vec![self.spend(bucket, *cost)?]),
            _ => None,
        }
    }

    fn try_check(&self, bucket: &Bucket, cost: u32) -> Option<Decision> {
        self.spend(bucket, cost)
    }
}

impl TierStore for RedisTiers {
    async fn set_tier(&self, api_key: &str, tier: Option<&str>) -> Result<(), StoreError> {
        self.set(api_key, tier).await
    }
}

impl FleetStore for RedisStore {
    async fn publish(&self, report: &FleetReport) -> Result<(), StoreError> {
        self.tell_fleet(report).await
    }

    async fn figures(&self) -> Result<Figures, StoreError> {
        self.fleet_figures().await
    }

    async fn bypass(&self) -> Result<Option<FleetBypass>, StoreError> {
        self.read_bypass().await
    }

    async fn set_bypass(&self, bypass: Option<&FleetBypass>) -> Result<(), StoreError> {
        match bypass {
            Some(bypass) => self.write_bypass(bypass).await,
            None => self.remove_bypass().await,
        }
    }
}
