//! The client by the host that a request names, and the setting that this needs.

use http::request::Parts;

use super::{BuildError, RateLimiter};
use crate::{
    client::{ClientId, HostList, KnownHosts},
    policy::{Policy, PolicyEntry},
};

/// The builder's settings of hosts.
#[derive(Debug, Default)]
pub(super) struct HostSettings {
    /// What `hosts` was called with, if it was.
    pub(super) listed: Option<Vec<String>>,
    pub(super) is_any: bool,
}

impl HostSettings {
    /// Returns the hosts that are believed.
    pub(super) fn check(self) -> Result<KnownHosts, BuildError> {
        match (self.listed, self.is_any) {
            (Some(_), true) => Err(BuildError::HostsAndAnyHost),
            (None, true) => Ok(KnownHosts::Any),
            (None, false) => Ok(KnownHosts::Unset),
            (Some(hosts), false) => {
                let mut list = HostList::default();
                for host in hosts {
                    if let Err(help) = list.add(&host) {
                        return Err(BuildError::Host { host, help });
                    }
                }
                if list.is_empty() {
                    return Err(BuildError::NoHosts);
                }
                Ok(KnownHosts::Listed(list))
            }
        }
    }
}

impl KnownHosts {
    /// Returns an error if there is no setting of hosts, but a policy that needs one.
    pub(super) fn check_for<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a PolicyEntry>,
    ) -> Result<(), BuildError> {
        if self.is_set() {
            return Ok(());
        }
        for entry in entries {
            for policy in entry.policies() {
                if policy.key().needs_host() {
                    return Err(BuildError::KeyWithoutHosts {
                        name: policy.name(),
                        place: entry.to_string(),
                    });
                }
            }
        }
        Ok(())
    }
}

impl RateLimiter {
    /// Returns the client by the host; `None` if the request names none that is believed.
    pub(super) fn by_host(&self, policy: &Policy, parts: &Parts) -> Option<ClientId> {
        let hosts = &self.0.hosts;
        if !hosts.is_set() {
            self.0.no_hosts.once(|| {
                tracing::warn!(
                    policy = policy.name(),
                    "the key of this policy is the host, but the limiter believes no host, so its clients \
                     are known by their addresses: list the hosts with RateLimiter::builder().hosts([…])"
                );
            });
        }
        hosts.client(parts)
    }
}
