//! From a request to the account that it is charged to.

use std::{fmt, net::IpAddr};

use http::{HeaderName, HeaderValue, request::Parts};
use smallvec::SmallVec;

use super::{
    RateLimiter, Tiers,
    account::{Account, Accounts, Exemption},
};
use crate::{
    client::{ApiKey, ClientId, FieldValue, Identified, KnownCaller, Resolved, peer},
    policy::{Key, Policy},
};

/// What the limiter looks at of a request.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    parts: &'a Parts,
    peer: Peer,
    path: &'a [(String, String)],
    identified: Option<Identified<'a>>,
}

/// The address at the other end of the connection.
#[derive(Clone, Copy)]
enum Peer {
    /// The one that the app is served with. It is looked for when it is needed: a caller with a known
    /// API key is not limited by it.
    OfConnection,
    Given(Option<IpAddr>),
}

impl<'a> Caller<'a> {
    /// Returns the caller of a request, as far as the request itself says.
    ///
    /// Its peer is that of the [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo) with which the
    /// app is served, or of the `MockConnectInfo` of a test.
    ///
    /// ```
    /// use std::net::SocketAddr;
    ///
    /// use axum::{extract::ConnectInfo, http::Request};
    /// use ratelimit::Caller;
    ///
    /// let peer = SocketAddr::from(([203, 0, 113, 7], 4711));
    /// let mut request = Request::new(());
    /// request.extensions_mut().insert(ConnectInfo(peer));
    /// let (parts, ()) = request.into_parts();
    ///
    /// // The client at 203.0.113.7, if that is not a trusted proxy:
    /// let caller = Caller::new(&parts);
    /// ```
    #[inline]
    pub fn new(parts: &'a Parts) -> Self {
        Self {
            parts,
            peer: Peer::OfConnection,
            path: &[],
            identified: None,
        }
    }

    pub(super) fn parts(&self) -> &'a Parts {
        self.parts
    }

    /// Sets the address at the other end of the connection, instead of the one that the request has with
    /// it. `None`: it has no address, as on a Unix socket.
    #[must_use]
    pub fn with_peer(self, peer: Option<IpAddr>) -> Self {
        Self {
            peer: Peer::Given(peer),
            ..self
        }
    }

    #[inline]
    fn peer(&self) -> Option<IpAddr> {
        match self.peer {
            Peer::OfConnection => peer(self.parts),
            Peer::Given(peer) => peer,
        }
    }

    /// With the parameters of the matched route, percent-decoded.
    #[must_use]
    pub fn with_path(self, path: &'a [(String, String)]) -> Self {
        Self { path, ..self }
    }

    /// With the identity that the application has found.
    #[must_use]
    pub fn with_identity(self, identified: Option<Identified<'a>>) -> Self {
        Self { identified, ..self }
    }
}

impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the headers: they may hold an API key.
        f.debug_struct("Caller")
            .field("peer", &self.peer())
            .field("identified", &self.identified)
            .finish_non_exhaustive()
    }
}

/// The API keys of one request whose tiers were looked up: one for each header that its policies name.
#[derive(Default)]
struct LookedUp<'a>(SmallVec<[(ApiKey<'a>, Resolved); 1]>);

impl LookedUp<'_> {
    fn is_unanswered(&self) -> bool {
        self.0.iter().any(|(_, resolved)| resolved.is_unanswered)
    }
}

/// What is known of a caller under one policy.
struct Known<'a> {
    client: Option<ClientId>,
    tier: Option<&'a str>,
}

impl RateLimiter {
    /// Which account a request is charged to; `None` where a resolver must be waited for.
    pub(super) fn account_at_once(
        &self,
        policy: &'static Policy,
        caller: &Caller<'_>,
    ) -> Option<Account> {
        if let Some(exempt) = self.exempt(policy, caller) {
            return Some(exempt);
        }
        let by_key = self.by_api_key(policy, caller).ok()?;
        Some(self.account(policy, caller, by_key.as_ref()))
    }

    /// Returns the accounts of a request under its policies, and whether it has waited in vain for a
    /// look-up of its tier in the store. Each API key is looked up once.
    ///
    /// # Panics
    ///
    /// Panics if there is no policy.
    pub(super) async fn accounts(
        &self,
        policies: &[&'static Policy],
        caller: &Caller<'_>,
    ) -> (Accounts, bool) {
        let mut policies = policies.iter().copied();
        let mut looked_up = LookedUp::default();
        let first = super::first(&mut policies);
        let mut accounts = Accounts::of(self.account_of(first, caller, &mut looked_up).await);
        for policy in policies {
            accounts.add(self.account_of(policy, caller, &mut looked_up).await);
        }
        (accounts, looked_up.is_unanswered())
    }

    async fn account_of<'a>(
        &self,
        policy: &'static Policy,
        caller: &Caller<'a>,
        looked_up: &mut LookedUp<'a>,
    ) -> Account {
        if let Some(exempt) = self.exempt(policy, caller) {
            return exempt;
        }
        let by_key = match self.by_api_key(policy, caller) {
            Ok(known) => known,
            Err(key) => self.look_up(key, caller, looked_up).await,
        };
        self.account(policy, caller, by_key.as_ref())
    }

    /// Returns the caller with this API key. What waits for an answer has a budget of time of its own:
    /// that of the check begins afterwards.
    async fn look_up<'a>(
        &self,
        key: ApiKey<'a>,
        caller: &Caller<'a>,
        looked_up: &mut LookedUp<'a>,
    ) -> Option<KnownCaller> {
        if let Some((_, resolved)) = looked_up.0.iter().find(|(other, _)| *other == key) {
            return resolved.caller.clone();
        }
        // What bounds the look-ups of unknown keys is kept by address.
        let address = || self.by_ip(caller);
        let resolved = match &self.0.tiers {
            // This request does not wait for the store again.
            Tiers::InStore(cache) if looked_up.is_unanswered() => cache.cached(key).into(),
            Tiers::InStore(cache) => cache.get(key, address).await,
            Tiers::Resolver(cache) => Resolved {
                // Of the application's resolver, which says nothing about the store.
                is_unanswered: false,
                ..cache.get(key, address).await
            },
            Tiers::Nobody | Tiers::Static(_) => Resolved::default(),
        };
        let caller = resolved.caller.clone();
        looked_up.0.push((key, resolved));
        caller
    }

    /// The account of a request that is not limited, whoever sent it: nobody's tier is looked up for
    /// it.
    #[inline]
    fn exempt(&self, policy: &'static Policy, caller: &Caller<'_>) -> Option<Account> {
        let exemption = if self.is_bypassed(caller) {
            Exemption::Bypass
        } else if policy.is_exempt(caller.parts) || self.is_exempt_by_network(caller) {
            Exemption::Exempt
        } else {
            return None;
        };
        Some(Account::unlimited(
            policy,
            policy.default_tier(),
            Some(exemption),
        ))
    }

    #[inline]
    fn is_exempt_by_network(&self, caller: &Caller<'_>) -> bool {
        let addresses = &self.0.addresses;
        addresses.has_exempt_networks()
            && addresses.is_client_exempt(caller.peer(), &caller.parts.headers)
    }

    /// Which bucket a request is charged to under a policy, and with how much. `by_key` is the caller
    /// by its API key, if it has one that somebody knows.
    #[inline]
    fn account(
        &self,
        policy: &'static Policy,
        caller: &Caller<'_>,
        by_key: Option<&KnownCaller>,
    ) -> Account {
        let mut account = Account::unlimited(policy, policy.default_tier(), None);
        let known = match (by_key, &caller.identified) {
            (Some(by_key), _) => Known {
                client: Some(by_key.client),
                tier: by_key.key.tier(),
            },
            (None, Some(identified)) => Known {
                client: Some(identified.client),
                tier: identified.tier,
            },
            (None, None) => Known {
                client: None,
                tier: None,
            },
        };
        if let Some(tier) = known.tier {
            let mut declared = policy.tiers().iter();
            match declared.find(|declared| declared.name() == tier) {
                Some(declared) => account.tier = declared,
                // An empty name stands for the default tier, as in Redis.
                None if tier.is_empty() => {}
                None => self.0.undeclared_tiers.log(policy, tier),
            }
        }
        if account.tier.quota().is_some() {
            account.client = Some(self.client(policy, known.client, caller));
            account.cost = policy.cost(caller.parts);
        }
        account
    }

    /// The caller by its API key, if it sent one that somebody knows; an error with the key where
    /// that must be asked.
    #[inline]
    fn by_api_key<'a>(
        &self,
        policy: &Policy,
        caller: &Caller<'a>,
    ) -> Result<Option<KnownCaller>, ApiKey<'a>> {
        let Some(header) = policy.tier_header() else {
            return Ok(None);
        };
        if matches!(self.0.tiers, Tiers::Nobody) {
            self.0.no_tiers.once(|| {
                tracing::warn!(
                    policy = policy.name(),
                    "the rate limiter knows no API keys, so everybody is on the default tier: give it \
                     keys with RateLimiter::builder().tiers(…) or .tier_resolver(…), or a RedisStore to \
                     read them from"
                );
            });
        }
        let value = self.field_value(policy, header, caller);
        let Some(key) = value.and_then(|value| ApiKey::from_field(value, header)) else {
            return Ok(None);
        };
        match &self.0.tiers {
            Tiers::Nobody => Ok(None),
            Tiers::Static(tiers) => Ok(tiers.get(key)),
            Tiers::Resolver(_) | Tiers::InStore(_) => Err(key),
        }
    }

    /// Returns the value of a header that a policy names, if it has one value.
    #[inline]
    fn field_value<'a>(
        &self,
        policy: &Policy,
        header: &HeaderName,
        caller: &Caller<'a>,
    ) -> Option<&'a HeaderValue> {
        let value = FieldValue::of(&caller.parts.headers, header);
        if matches!(value, FieldValue::Ambiguous) {
            self.0.ambiguous_header.once(|| {
                tracing::warn!(
                    policy = policy.name(),
                    header = header.as_str(),
                    "a request has a header several times with different values, of which none is used; help: \
                     have the gateway that sets it replace what clients send, not add to it"
                );
            });
        }
        value.one()
    }

    /// Whose bucket it is.
    #[inline]
    fn client(&self, policy: &Policy, known: Option<ClientId>, caller: &Caller<'_>) -> ClientId {
        self.by_key(policy, &policy.key(), known, caller)
            .unwrap_or_else(|| self.by_ip(caller))
    }

    /// The client by a key; `None` where the request lacks what the key asks for.
    fn by_key(
        &self,
        policy: &Policy,
        key: &Key,
        known: Option<ClientId>,
        caller: &Caller<'_>,
    ) -> Option<ClientId> {
        match *key {
            Key::Ip => None,
            Key::Global => Some(ClientId::EVERYBODY),
            Key::Caller => known,
            Key::Header(name) => {
                let value = self.field_value(policy, name, caller)?;
                (!value.is_empty()).then(|| ClientId::header(value.as_bytes()))
            }
            Key::Host => self.by_host(policy, caller.parts),
            Key::Path(name) => {
                let parameter = caller.path.iter().find(|(known, _)| known == name);
                if parameter.is_none() {
                    self.0.no_parameter.once(|| {
                        tracing::warn!(
                            policy = policy.name(),
                            "the key goes by the path's parameter `{name}`, which a matched route does not \
                             have, so its clients are known by their addresses: name a parameter of the route"
                        );
                    });
                }
                parameter.map(|(_, value)| ClientId::path(value))
            }
            Key::Of(value) => value(caller.parts).map(|value| ClientId::value(&value)),
            Key::All(keys) => {
                let one = |key: &Key| {
                    self.by_key(policy, key, known, caller)
                        .unwrap_or_else(|| self.by_ip(caller))
                };
                Some(ClientId::all(keys.iter().map(one)))
            }
        }
    }

    /// Returns the client at the address that a request comes from, by the rule of the trusted
    /// proxies.
    #[inline]
    pub(crate) fn by_ip(&self, caller: &Caller<'_>) -> ClientId {
        let headers = &caller.parts.headers;
        self.0.addresses.client(caller.peer(), headers)
    }
}
