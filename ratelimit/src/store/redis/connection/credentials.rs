//! Users and passwords that change while the application runs.

use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc};

use redis::{ErrorKind, RedisConnectionInfo, RedisError};

use super::super::RedisStoreBuilder;

/// The user and password of one login to Redis; see [`RedisStoreBuilder::credentials`].
///
/// `Debug` shows neither.
#[derive(Clone)]
pub struct RedisCredentials {
    user: String,
    password: String,
}

impl RedisCredentials {
    /// Creates credentials for a user of the server's access control list. A server that has one
    /// password for all clients calls its user `default`.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }

    pub(super) fn apply(&self, settings: RedisConnectionInfo) -> RedisConnectionInfo {
        settings
            .set_username(&self.user)
            .set_password(&self.password)
    }
}

impl fmt::Debug for RedisCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCredentials").finish_non_exhaustive()
    }
}

type Fetched =
    Pin<Box<dyn Future<Output = Result<RedisCredentials, Box<dyn Error + Send + Sync>>> + Send>>;

/// Fetches the credentials of each login.
pub(super) struct CredentialsProvider(Box<dyn Fn() -> Fetched + Send + Sync>);

impl CredentialsProvider {
    /// Fetches the credentials that are valid now.
    pub(super) async fn get(&self) -> Result<RedisCredentials, RedisError> {
        (self.0)().await.map_err(|error| {
            RedisError::from((
                ErrorKind::Client,
                "the credentials provider failed",
                error.to_string(),
            ))
        })
    }
}

impl RedisStoreBuilder {
    /// Fetches the user and password anew for each connection that is opened, instead of taking them
    /// from the URL: for tokens that expire, such as those of AWS IAM and Microsoft Entra ID.
    ///
    /// The provider is called when the store connects and each time that a connection was lost, as
    /// when the server closes it because its token has expired. It has to answer within the
    /// [`connect_timeout`](Self::connect_timeout), and should cache its token until shortly before
    /// that expires. Its error is logged, so it must hold no secret. Sentinels are not sent these
    /// credentials: theirs are in their URLs.
    ///
    /// ```no_run
    /// # async fn app() -> Result<(), Box<dyn std::error::Error>> {
    /// use ratelimit::{RedisCredentials, RedisStore};
    ///
    /// # async fn fetch_token() -> std::io::Result<String> { Ok(String::new()) }
    /// let redis = RedisStore::builder("rediss://cache.internal:6379")
    ///     .credentials(|| async { Ok(RedisCredentials::new("web", fetch_token().await?)) })
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn credentials<F>(mut self, provider: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<RedisCredentials, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let provider = CredentialsProvider(Box::new(move || Box::pin(provider())));
        self.address.credentials = Some(Arc::new(provider));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_not_printed() {
        let credentials = RedisCredentials::new("web", "S3CRET");
        assert_eq!(format!("{credentials:?}"), "RedisCredentials { .. }");
    }
}
