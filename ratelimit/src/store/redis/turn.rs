//! Checks that go at once, and those that go together.
//!
//! What goes together is sent by a task of its own, so that it matters to nobody whether another one
//! still waits for it.

use std::{borrow::Borrow, sync::Arc};

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::runtime::Handle;

use super::{
    RedisStore,
    connection::{Slot, Waiting, no_answer_in_time},
    run::Run,
};
use crate::store::Bucket;

/// One of the calls that are under way on a connection. When it is over, also where nobody waits for
/// its answer any more, those in line go.
struct Turn<S: Borrow<RedisStore>> {
    store: S,
    slot: Arc<Slot>,
}

impl<S: Borrow<RedisStore>> Drop for Turn<S> {
    fn drop(&mut self) {
        while let Some(next) = self.slot.line.leave() {
            // Without a runtime nobody could send for them, and they are told so.
            if let Ok(runtime) = Handle::try_current() {
                let turn = Turn {
                    store: self.store.borrow().clone(),
                    slot: self.slot.clone(),
                };
                runtime.spawn(go_together(turn, next));
                return;
            }
        }
    }
}

impl Run<'_> {
    /// What the script says of one check, which may wait in line to go together with others.
    pub(super) async fn in_turn(self, bucket: &Bucket, cost: u32) -> Result<Value, RedisError> {
        let slot = self.store.connections.slot()?;
        // Its keys are on several servers, so that no script can have all of them.
        if self.store.connections.is_cluster() {
            return self.alone(&slot, bucket, cost).await;
        }
        let Some(answer) = slot.line.join(bucket, cost, self.deadline) else {
            let turn = Turn {
                store: self.store,
                slot,
            };
            return self.alone(&turn.slot, bucket, cost).await;
        };
        match self.deadline.run(answer).await {
            // One server of a cluster that is not known to be one, or what looks like a server.
            Ok(Ok(Err(error))) if error.kind() == ErrorKind::Server(ServerErrorKind::CrossSlot) => {
                slot.line.dissolve();
                self.alone(&slot, bucket, cost).await
            }
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(no_answer_in_time()),
        }
    }
}

/// Has all of these decided in one call, and tells each its own answer.
async fn go_together(turn: Turn<RedisStore>, waiting: Vec<Waiting>) {
    let Some(deadline) = waiting.iter().map(|waiting| waiting.deadline).max() else {
        return;
    };
    let answer = turn
        .store
        .run(deadline)
        .check_each(&turn.slot, &waiting)
        .await;
    drop(turn);
    let answers: Vec<_> = match answer {
        Ok(answers) => answers.into_iter().map(Value::extract_error).collect(),
        Err(error) => vec![Err(error); waiting.len()],
    };
    for (waiting, answer) in waiting.into_iter().zip(answers) {
        // Who does not wait any more has been told that there was no answer in time.
        let _ = waiting.answer.send(answer);
    }
}
