//! Checks that are sent at once, and those that are sent as a batch.
//!
//! A batch is sent by a task of its own, so that it does not depend on any of its callers: each may
//! stop waiting.

use std::{borrow::Borrow, sync::Arc};

use redis::{RedisError, Value};
use tokio::runtime::Handle;

use super::{
    RedisStore,
    connection::{Placement, PooledConnection, Waiting, is_cross_slot, no_answer_in_time},
    deployment::Route,
    run::Run,
    shard::Shard,
};
use crate::store::Bucket;

/// A call in flight on a connection. When it ends, also if no caller waits for its answer any more,
/// the next batch is sent.
struct InFlight<S: Borrow<RedisStore>> {
    store: S,
    shard: Shard,
    connection: Arc<PooledConnection>,
}

impl<S: Borrow<RedisStore>> Drop for InFlight<S> {
    fn drop(&mut self) {
        while let Some(batch) = self.connection.queue.leave() {
            // Without a runtime the batch cannot be sent: its callers get an error.
            if let Ok(runtime) = Handle::try_current() {
                let call = InFlight {
                    store: self.store.borrow().clone(),
                    shard: self.shard.clone(),
                    connection: self.connection.clone(),
                };
                runtime.spawn(send_batch(call, batch));
                return;
            }
        }
    }
}

impl Run<'_> {
    /// Returns what the script answers to one check, which may be sent in a batch.
    pub(super) async fn in_batch(
        self,
        route: &Route,
        bucket: &Bucket,
        cost: u32,
    ) -> Result<Value, RedisError> {
        let shard = &route.shard;
        let connection = shard.pool.connection();
        if !shard.pool.placement().allows_batches() {
            return self.alone(route, &connection, bucket, cost).await;
        }
        let round_trip = shard.pool.round_trip();
        let queued = connection
            .queue
            .join(bucket, cost, self.limit.deadline, round_trip);
        let Some(answer) = queued else {
            let call = InFlight {
                store: self.store,
                shard: shard.clone(),
                connection,
            };
            return self.alone(route, &call.connection, bucket, cost).await;
        };
        match self.limit.deadline.run(answer).await {
            // It was not decided: the server turned out to be one of several.
            Ok(Ok(Err(error))) if is_cross_slot(&error) => {
                shard.pool.restrict_placement(Placement::ByClient);
                self.alone(route, &connection, bucket, cost).await
            }
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(no_answer_in_time()),
        }
    }
}

/// Has all checks of a batch decided in one call, and passes each its own answer.
async fn send_batch(call: InFlight<RedisStore>, batch: Vec<Waiting>) {
    let Some(deadline) = batch.iter().map(|waiting| waiting.deadline).max() else {
        return;
    };
    let run = call.store.run(deadline);
    let answer = run
        .check_each(&Route::to(&call.shard), &call.connection, &batch)
        .await;
    drop(call);
    let answers: Vec<_> = match answer {
        Ok(answers) => answers.into_iter().map(Value::extract_error).collect(),
        Err(error) => vec![Err(error); batch.len()],
    };
    for (waiting, answer) in batch.into_iter().zip(answers) {
        // A caller that does not wait any more has an error already.
        let _ = waiting.answer.send(answer);
    }
}
