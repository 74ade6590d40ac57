//! Where Redis is, and how to get there.

use redis::{ConnectionInfo, IntoConnectionInfo, parse_redis_url};

use super::{
    error::{ConnectError, reason},
    tls::Tls,
};

/// What a store is told about where Redis is. There are secrets in it.
#[derive(Clone)]
pub(in super::super) struct Address {
    url: String,
    pub(super) tls: Tls,
}

impl Address {
    pub(in super::super) fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            tls: Tls::default(),
        }
    }

    pub(super) fn server(&self) -> Result<ConnectionInfo, ConnectError> {
        read(&self.url, &self.tls)
    }
}

fn read(url: &str, tls: &Tls) -> Result<ConnectionInfo, ConnectError> {
    let scheme = parse_redis_url(url).map(|url| url.scheme().to_owned());
    tls.check(matches!(scheme.as_deref(), Some("rediss" | "valkeys")))?;
    let info = url
        .into_connection_info()
        .map_err(|error| ConnectError::Url {
            reason: reason(&error),
        })?;
    tls.apply(info)
}
