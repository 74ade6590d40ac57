//! Whether limits outlive a restart of the server, where it lets us ask.

use std::collections::HashMap;

use redis::{Value, from_redis_value};

use super::connection::Connections;

/// Says so if the server keeps nothing on disk. Many do not let clients ask, which is no error.
pub(super) async fn warn_if_there_is_none(connections: &Connections) {
    let append_only = setting(connections, "appendonly").await;
    let snapshots = setting(connections, "save").await;
    if append_only.as_deref() == Some("no") && snapshots.as_deref() == Some("") {
        tracing::warn!(
            "Redis at {} keeps nothing on disk: when it restarts, all limits begin anew; with `appendonly yes` in its configuration they do not",
            connections.server()
        );
    }
}

async fn setting(connections: &Connections, name: &str) -> Option<String> {
    let mut ask = redis::cmd("CONFIG");
    ask.arg("GET").arg(name);
    let answer = connections.send(&ask, connections.deadline()).await;
    let answer = answer.and_then(Value::extract_error).ok()?;
    let mut settings: HashMap<String, String> = from_redis_value(answer).ok()?;
    settings.remove(name)
}
