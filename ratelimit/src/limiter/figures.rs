//! What is known of the requests of the last minutes, for people and for programs.

use super::RateLimiter;
#[cfg(all(feature = "dashboard", feature = "redis"))]
use crate::store::redis::RedisStore;
use crate::{
    client::ClientId,
    observe::{Figures, Second, Totals},
    store::{StoreError, StoreHealth},
};

impl RateLimiter {
    /// How this limiter has done in the last minute, in this process.
    ///
    /// ```
    /// use ratelimit::RateLimiter;
    ///
    /// let figures = RateLimiter::global().figures();
    /// println!("{} requests were turned away", figures.limited_per_minute);
    /// if let Some(check) = figures.check {
    ///     println!("99 of 100 checks took {:?} at the most", check.p99);
    /// }
    /// ```
    pub fn figures(&self) -> Figures {
        self.0.watch.observer.figures()
    }

    /// How all processes that share this limiter's Redis have done in the last minute, to within a
    /// few seconds and, for the time that a check took, 3 %. What happened while Redis could not be
    /// asked is not in it. `None` with another store.
    ///
    /// # Errors
    ///
    /// Redis cannot be asked.
    #[cfg_attr(
        not(feature = "redis"),
        expect(
            clippy::unused_async,
            reason = "the same signature with and without Redis"
        )
    )]
    pub async fn fleet_figures(&self) -> Result<Option<Figures>, StoreError> {
        #[cfg(feature = "redis")]
        if let Some(redis) = self.0.store.shared() {
            return redis.fleet_figures().await.map(Some);
        }
        Ok(None)
    }

    /// What has become of the requests under each policy since this limiter was made, by the policy's
    /// name. Policies that no request has come to are not in it.
    pub fn totals(&self) -> Vec<(&'static str, Totals)> {
        self.0.watch.observer.totals()
    }

    /// The last five minutes, second by second, oldest first; with `since`, the seconds that ended
    /// after that one.
    pub fn history(&self, since: Option<u64>) -> Vec<Second> {
        self.0.watch.observer.history_after(since.unwrap_or(0))
    }

    /// The clients that were turned away most often in the last five minutes, and how often: so many
    /// of them at the most, of which 256 a minute are remembered.
    pub fn most_limited(&self, count: usize) -> Vec<(ClientId, u64)> {
        let most = self.0.watch.observer.most_limited(count).into_iter();
        most.map(|limited| (limited.client, limited.times))
            .collect()
    }

    /// Returns the name of a client in the log: `ip:203.0.113.7` for an address, and for an API key, an
    /// identity or anything else 16 digits of a digest with the secret that was set with
    /// [`client_digest_secret`](crate::Builder::client_digest_secret), as in
    /// `identity:hmac:8f4b9d2c71a06e35`.
    ///
    /// With that secret it can be computed elsewhere, here for the identity `alice`:
    ///
    /// ```sh
    /// id="identity:$(printf %s alice | sha256sum | cut -c1-32)"
    /// printf %s "$id" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/.* //' | cut -c1-16
    /// ```
    pub fn client_digest(&self, client: ClientId) -> String {
        self.0.digests.name(client)
    }

    /// Returns the client with this name in the log, if this process has turned it away lately.
    #[cfg(feature = "dashboard")]
    pub(crate) fn find_client(&self, digest: &str) -> Option<ClientId> {
        let lately = self.0.watch.observer.most_limited(usize::MAX).into_iter();
        lately
            .map(|limited| limited.client)
            .find(|&client| self.client_digest(client) == digest)
    }

    /// What the store is and, if that is elsewhere, where.
    #[cfg(feature = "dashboard")]
    pub(crate) fn store_name(&self) -> (&'static str, Option<&str>) {
        #[cfg(feature = "redis")]
        let server = self.0.store.shared().map(RedisStore::server);
        #[cfg(not(feature = "redis"))]
        let server = None;
        (self.0.store.kind(), server)
    }

    /// Whether the store can be asked, and when it could not. `None` for a limiter in memory, which
    /// always can.
    pub fn store_health(&self) -> Option<StoreHealth> {
        self.0
            .watch
            .breaker
            .as_ref()
            .map(crate::store::Breaker::health)
    }
}
