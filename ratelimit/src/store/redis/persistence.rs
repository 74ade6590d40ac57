//! Whether limits outlive a restart of the server, where it lets us ask.

use std::{collections::HashMap, sync::Arc};

use redis::{Value, from_redis_value};

use super::connection::Pool;

/// Says so if the server keeps nothing on disk. Many do not let clients ask, which is no error.
pub(super) async fn warn_if_there_is_none(pool: &Arc<Pool>) {
    let append_only = setting(pool, "appendonly").await;
    let snapshots = setting(pool, "save").await;
    if append_only.as_deref() == Some("no") && snapshots.as_deref() == Some("") {
        tracing::warn!(
            "Redis at {} keeps nothing on disk: when it restarts, all limits begin anew; with `appendonly yes` in its configuration they do not",
            pool.server()
        );
    }
}

async fn setting(pool: &Arc<Pool>, name: &str) -> Option<String> {
    let mut ask = redis::cmd("CONFIG");
    ask.arg("GET").arg(name);
    let answer = pool.send(&ask, pool.budget()).await;
    let answer = answer.and_then(Value::extract_error).ok()?;
    let mut settings: HashMap<String, String> = from_redis_value(answer).ok()?;
    settings.remove(name)
}
