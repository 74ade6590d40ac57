//! What is known of the requests of the last minutes, for people and for programs.

#[cfg(feature = "dashboard")]
use std::sync::Arc;

use super::RateLimiter;
#[cfg(feature = "dashboard")]
use crate::clock::Clock;
use crate::{
    client::ClientId,
    observe::{Figures, Second, Totals, WrongCredentials},
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

    /// Returns the stats of the last minute of all processes that share this limiter's store, to
    /// within a few seconds and, for the duration of a check, 3 %. What happened while the store was
    /// unavailable is not included. `None` if the store has no [fleet
    /// store](crate::Store::fleet_store); `RedisStore` has one.
    ///
    /// # Errors
    ///
    /// Returns an error if the store is unavailable.
    pub async fn fleet_figures(&self) -> Result<Option<Figures>, StoreError> {
        match self.0.store.fleet() {
            Some(fleet) => fleet.figures().await.map(Some),
            None => Ok(None),
        }
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

    /// Returns the number of wrong dashboard tokens and wrong bypass secrets that were sent to this
    /// limiter since it was made.
    ///
    /// ```
    /// use ratelimit::RateLimiter;
    ///
    /// let limiter = RateLimiter::default();
    /// assert_eq!(limiter.wrong_credentials().bypass_secret, 0);
    /// ```
    pub fn wrong_credentials(&self) -> WrongCredentials {
        self.0.watch.observer.wrong_credentials.read()
    }

    /// Counts a wrong token of the dashboard.
    #[cfg(feature = "dashboard")]
    pub(crate) fn add_wrong_token(&self) {
        self.0
            .watch
            .observer
            .wrong_credentials
            .add_dashboard_token();
    }

    /// Returns the clock of this limiter, which in tests is the store's.
    #[cfg(feature = "dashboard")]
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
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
        self.0.digests.name(self.client_of(client))
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
        let store = &self.0.store;
        (store.name(), store.server())
    }

    /// Returns whether the store is available, and its last outages. `None` for a store in this
    /// process, which always is.
    pub fn store_health(&self) -> Option<StoreHealth> {
        self.0.store.health()
    }
}
