//! A server that has a part of the keys, or all of them: its connections and its health.

use std::sync::Arc;

use super::connection::Pool;
use crate::store::breaker::Breaker;

/// The connections to a server, and the breaker that keeps an outage of it from costing requests
/// time. Clones share both.
#[derive(Clone)]
pub(super) struct Shard {
    pub(super) pool: Arc<Pool>,
    pub(super) breaker: Breaker,
}

impl Shard {
    /// Creates a shard whose breaker probes the server with a new connection.
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        let breaker = {
            let pool = pool.clone();
            Breaker::new(move || {
                let pool = pool.clone();
                async move {
                    pool.renew()
                        .await
                        .map_err(|reason| pool.unavailable(&reason))
                }
            })
        };
        Self { pool, breaker }
    }
}
