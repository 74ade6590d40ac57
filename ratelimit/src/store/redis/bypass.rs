//! The switch that turns limits off, where all processes see it.
//!
//! It is one key, whose time to live is that of the bypass: Redis ends it, whatever becomes of the
//! process that began it.

use std::time::{Duration, UNIX_EPOCH};

use redis::{Value, from_redis_value, pipe};
use serde_json::json;

use super::RedisStore;
use crate::store::{FleetBypass, StoreError};

const KEY: &str = "bypass";

impl RedisStore {
    pub(crate) async fn read_bypass(&self) -> Result<Option<FleetBypass>, StoreError> {
        let key = self.fleet_key(KEY);
        let mut read = pipe();
        read.get(&key).pttl(&key);
        let answers = self.send_aside(&read).await?;
        let no_bypass = || StoreError::refused(format!("the key {key} is no bypass"));
        let (text, lasts): (Option<String>, i64) =
            from_redis_value(Value::Array(answers)).map_err(|_| no_bypass())?;
        let Some(text) = text else {
            return Ok(None);
        };
        // Without an end, as somebody may have written it by hand, it is none.
        let lasts = u64::try_from(lasts).map_err(|_| no_bypass())?;
        let bypass = kept(&text, Duration::from_millis(lasts));
        bypass.ok_or_else(no_bypass).map(Some)
    }

    pub(crate) async fn write_bypass(&self, bypass: &FleetBypass) -> Result<(), StoreError> {
        let since = bypass.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = json!({ "reason": bypass.reason, "since_ms": millis(since) }).to_string();
        let mut write = pipe();
        let lasts = millis(bypass.remaining);
        write
            .cmd("SET")
            .arg(self.fleet_key(KEY))
            .arg(text)
            .arg("PX")
            .arg(lasts.max(1));
        self.send_aside(&write).await.map(drop)
    }

    pub(crate) async fn remove_bypass(&self) -> Result<(), StoreError> {
        let mut remove = pipe();
        remove.del(self.fleet_key(KEY));
        self.send_aside(&remove).await.map(drop)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn kept(text: &str, remaining: Duration) -> Option<FleetBypass> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let since = Duration::from_millis(value["since_ms"].as_u64()?);
    Some(FleetBypass {
        reason: value["reason"].as_str()?.to_owned(),
        since: UNIX_EPOCH.checked_add(since)?,
        remaining,
    })
}
