//! Without the feature `tls` there is no TLS.

use redis::{AsyncConnectionConfig, ConnectionInfo};

use super::error::ConnectError;

#[derive(Clone, Default)]
pub(super) struct Tls {}

/// There is none without the feature.
#[derive(Clone)]
pub(super) enum ServerName {}

impl ServerName {
    pub(super) fn apply(
        &self,
        _info: ConnectionInfo,
        _config: AsyncConnectionConfig,
    ) -> (ConnectionInfo, AsyncConnectionConfig) {
        match *self {}
    }
}

impl Tls {
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn check(&self, encrypted: bool) -> Result<(), ConnectError> {
        if encrypted {
            return Err(ConnectError::Setting(
                "a rediss:// URL needs the feature `tls` of the crate ratelimit: \
                 ratelimit = { ..., features = [\"tls\"] }",
            ));
        }
        Ok(())
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as with the feature"
    )]
    pub(super) fn apply(&self, info: ConnectionInfo) -> Result<ConnectionInfo, ConnectError> {
        Ok(info)
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn server_name(&self) -> Option<ServerName> {
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::RedisStore;

    #[tokio::test]
    async fn an_encrypted_url_needs_the_feature() {
        let error = RedisStore::connect("rediss://user:S3CRET@127.0.0.1").await;
        let error = error.expect_err("without TLS").to_string();
        assert!(error.contains("the feature `tls`"), "{error}");
        assert!(!error.contains("S3CRET"), "{error}");
    }
}
