//! What the answers of a server say of the server itself.

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

pub(in super::super) fn no_answer_in_time() -> RedisError {
    RedisError::from((ErrorKind::Io, "no answer in time"))
}

/// Returns whether a server of a cluster said that another one has the key, which it can only say if
/// it serves the connection.
pub(super) fn is_redirection(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::TryAgain
        )
    )
}

/// What a server answers.
pub(super) trait Answer {
    /// Returns whether a replica refused to write: the server is not the master any more.
    fn is_from_a_replica(&self) -> bool;
}

impl Answer for Value {
    fn is_from_a_replica(&self) -> bool {
        match self {
            Value::ServerError(error) => error.kind() == Some(ServerErrorKind::ReadOnly),
            Value::Array(answers) => answers.is_from_a_replica(),
            _ => false,
        }
    }
}

impl Answer for Vec<Value> {
    fn is_from_a_replica(&self) -> bool {
        self.iter().any(Value::is_from_a_replica)
    }
}
