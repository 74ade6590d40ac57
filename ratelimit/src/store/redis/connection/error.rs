//! What to say where no connection comes about.

use redis::{ErrorKind, RedisError};

use crate::foreign_text::ForeignText;

/// No connection to Redis came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is not one of a Redis.
    #[error(
        "the Redis URL cannot be read ({reason}); it should look like redis://127.0.0.1:6379 or redis://user:password@host:6379/0"
    )]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// A setting that cannot work.
    #[error("{0}")]
    Setting(&'static str),
    /// Nobody answers there, or not as Redis would.
    #[error("cannot connect to Redis at {server}: {reason}")]
    Connect {
        /// Host and port, or the path of a socket.
        server: String,
        /// Why not.
        reason: String,
    },
}

impl ConnectError {
    pub(super) fn url(error: &RedisError) -> Self {
        Self::Url {
            reason: reason(error),
        }
    }
}

/// Returns whether the user may not do this. Within a script Redis 6.2 says so without a code, and Redis
/// 7 in words of its own.
pub(in super::super) fn lacks_permission(error: &RedisError) -> bool {
    let said = error.to_string();
    error.code() == Some("NOPERM")
        || said.contains("The user executing the script can't")
        || said.contains("ACL failure in script")
}

/// What the error of a command begins with for which no connection could be opened.
pub(super) const NO_CONNECTION: &str = "no connection";

/// What went wrong, in the words of the server or the system, or in better ones.
pub(in super::super) fn reason(error: &RedisError) -> String {
    let said = error.to_string();
    if error.kind() == ErrorKind::Io && said.starts_with(NO_CONNECTION) {
        // The reason is from here already, and says more than would be left of it.
        return said;
    }
    let shown = ForeignText(&said);
    // Not by its kind alone: of a cluster's server it comes wrapped in another error.
    if error.kind() == ErrorKind::AuthenticationFailed
        || said.contains("Password authentication failed")
    {
        return "it refuses the password in the URL or from the credentials provider: password \
            or user is wrong, or that user may not log in"
            .to_owned();
    }
    if lacks_permission(error) {
        return format!(
            "{shown}: the user lacks a permission; \"Redis in production\" in the documentation of \
             ratelimit lists those that it needs"
        );
    }
    if said.contains("UnknownIssuer") {
        return format!(
            "{shown}: nobody who is trusted has signed its certificate; if a private authority has, \
             give its certificate to RedisStoreBuilder::root_certificates"
        );
    }
    shown.to_string()
}
