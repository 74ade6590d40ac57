//! The settings of a limiter that say who a client is by its address.

use http::{HeaderName, header};
use ipnet::IpNet;

use super::{BuildError, Builder, addresses::Addresses};
use crate::client::{ForwardedHeader, Ipv6Prefix, LONGEST_CHAIN, Trust, TrustedProxies, network};

/// The settings as they were given.
#[derive(Debug, Default)]
pub(super) struct AddressSettings {
    proxies: Vec<String>,
    hops: Option<usize>,
    socket: bool,
    forwarded: Option<ForwardedHeader>,
    exempt: Vec<String>,
    ipv6_prefix: Option<u8>,
}

impl Builder {
    /// Trusts the load balancers and proxies with these addresses, or in these networks, to state the
    /// address of the client that they were called by. By default no proxy is trusted, and the client
    /// is the socket's peer.
    ///
    /// The client is the first address that is not a trusted proxy's, in the
    /// [header](Self::forwarded_header) from the right. A trusted proxy is never a client: if the header
    /// ends, or cannot be read, before there is another address, the request shares the bucket of the
    /// last proxy, and [`exempt_networks`](Self::exempt_networks) do not exempt it.
    ///
    /// ```
    /// use ratelimit::RateLimiter;
    ///
    /// let limiter = RateLimiter::builder()
    ///     .trusted_proxies(["10.0.0.0/8", "fd00::/8"])
    ///     .build()?;
    /// # Ok::<(), ratelimit::BuildError>(())
    /// ```
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let proxies = proxies.into_iter().map(Into::into);
        self.addresses.proxies.extend(proxies);
        self
    }

    /// Trusts a number of proxies between the client and this process, whatever their addresses: with 1
    /// the client is the last address in the [header](Self::forwarded_header), with 2 the one before
    /// it. A request with fewer addresses shares the bucket of the last one that it has. Use it instead of
    /// [`trusted_proxies`](Self::trusted_proxies) and [`trusted_socket`](Self::trusted_socket), for proxies
    /// whose addresses are not known in advance.
    ///
    /// A client that reaches this process, or one of the proxies, on a shorter way chooses the address
    /// that it is limited by. So use it only if a firewall permits no other way, and prefer
    /// [`trusted_proxies`](Self::trusted_proxies).
    ///
    /// ```
    /// use ratelimit::RateLimiter;
    ///
    /// // A content delivery network, and a load balancer behind it:
    /// let limiter = RateLimiter::builder().trusted_hops(2).build()?;
    /// # Ok::<(), ratelimit::BuildError>(())
    /// ```
    pub fn trusted_hops(mut self, hops: usize) -> Self {
        self.addresses.hops = Some(hops);
        self
    }

    /// Trusts the peer of a connection that has no address: a proxy on the same machine that connects
    /// through a Unix socket, or AWS Lambda. It states the client in the
    /// [header](Self::forwarded_header). If there are more proxies before it, name them in
    /// [`trusted_proxies`](Self::trusted_proxies).
    ///
    /// A peer has no address if the request has no
    /// [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo). An app on a TCP port that is served
    /// without it trusts every client with this setting, so that each chooses its address: serve it with
    /// [`into_make_service_with_connect_info`](axum::Router::into_make_service_with_connect_info).
    ///
    /// ```
    /// use axum::http::HeaderName;
    /// use ratelimit::{ForwardedHeader, RateLimiter};
    ///
    /// // Behind nginx with `proxy_set_header X-Real-IP $remote_addr;`
    /// let limiter = RateLimiter::builder()
    ///     .trusted_socket()
    ///     .forwarded_header(ForwardedHeader::Address(HeaderName::from_static("x-real-ip")))
    ///     .build()?;
    /// # Ok::<(), ratelimit::BuildError>(())
    /// ```
    pub fn trusted_socket(mut self) -> Self {
        self.addresses.socket = true;
        self
    }

    /// Sets the header in which the trusted proxies state the client's address;
    /// [`ForwardedHeader::XForwardedFor`] by default. From other peers it is not read.
    pub fn forwarded_header(mut self, header: ForwardedHeader) -> Self {
        self.addresses.forwarded = Some(header);
        self
    }

    /// Exempts requests from these addresses and networks from the limits of all policies: those of a
    /// monitoring system, or of your own services.
    ///
    /// Behind trusted proxies the client's address counts, and only if it is certain. A trusted proxy is
    /// never exempt: its address is on the requests of every client that it does not state. An IPv4
    /// network also exempts the addresses that are mapped into IPv6 (`::ffff:10.1.2.3`), but not those
    /// inside of NAT64 addresses.
    pub fn exempt_networks(
        mut self,
        networks: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let networks = networks.into_iter().map(Into::into);
        self.addresses.exempt.extend(networks);
        self
    }

    /// Sets the length of the prefix by which IPv6 addresses share a bucket, in bits: 32 to 64; 64 by
    /// default.
    ///
    /// 64 is what a subscriber has at least. Many have a /56 or a /48, so that with 64 they have 256 or
    /// 65,536 buckets. With a shorter prefix subscribers of a provider that gives out less share one.
    ///
    /// Processes that share a store need the same length. [`ClientId::ip`](crate::ClientId::ip) names a
    /// client whatever it is.
    ///
    /// ```
    /// use ratelimit::RateLimiter;
    ///
    /// let limiter = RateLimiter::builder().ipv6_prefix(56).build()?;
    /// # Ok::<(), ratelimit::BuildError>(())
    /// ```
    pub fn ipv6_prefix(mut self, length: u8) -> Self {
        self.addresses.ipv6_prefix = Some(length);
        self
    }
}

impl AddressSettings {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them is wrong, or has no effect without another.
    pub(super) fn check(self) -> Result<Addresses, BuildError> {
        let is_trusting = !self.proxies.is_empty() || self.socket;
        if self.forwarded.is_some() && !is_trusting && self.hops.is_none() {
            return Err(BuildError::ForwardedWithoutProxies);
        }
        let header = self.forwarded.unwrap_or_default();
        check_header(&header)?;
        if let Some(hops) = self.hops {
            check_hops(hops, &header)?;
            if is_trusting {
                return Err(BuildError::HopsAndProxies);
            }
        }
        let proxies = networks(
            self.proxies,
            BuildError::TrustedProxy,
            BuildError::TrustsEverybody,
        )?;
        let trust = match self.hops {
            Some(hops) => Trust::Hops(hops),
            None if is_trusting => Trust::Networks {
                networks: proxies,
                socket: self.socket,
            },
            None => Trust::NoProxy,
        };
        let exempt = networks(
            self.exempt,
            BuildError::ExemptNetwork,
            BuildError::ExemptsEverybody,
        )?;
        let ipv6_prefix = match self.ipv6_prefix {
            Some(length) => Ipv6Prefix::new(length).ok_or(BuildError::Ipv6Prefix(length))?,
            None => Ipv6Prefix::default(),
        };
        Ok(Addresses {
            proxies: TrustedProxies { trust, header },
            exempt,
            ipv6_prefix,
            ..Addresses::default()
        })
    }
}

/// Headers that are not about the client, or that a proxy consumes or passes on as they are.
const NO_ADDRESS: [HeaderName; 15] = [
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::COOKIE,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::ORIGIN,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::USER_AGENT,
];

fn check_hops(hops: usize, header: &ForwardedHeader) -> Result<(), BuildError> {
    match header {
        _ if !(1..=LONGEST_CHAIN).contains(&hops) => Err(BuildError::TrustedHops(hops)),
        ForwardedHeader::Address(header) if hops > 1 => Err(BuildError::HopsInOneAddress {
            hops,
            header: header.clone(),
        }),
        _ => Ok(()),
    }
}

fn check_header(header: &ForwardedHeader) -> Result<(), BuildError> {
    match header {
        ForwardedHeader::Address(name) if ForwardedHeader::is_list(name) => {
            Err(BuildError::ListOfAddresses(name.clone()))
        }
        ForwardedHeader::Address(name) if NO_ADDRESS.contains(name) => {
            Err(BuildError::HeaderWithoutAddress(name.clone()))
        }
        _ => Ok(()),
    }
}

/// Returns the networks of a setting, of which none may contain all addresses.
fn networks(
    texts: Vec<String>,
    is_none: fn(String) -> BuildError,
    is_everybody: fn(IpNet) -> BuildError,
) -> Result<Vec<IpNet>, BuildError> {
    let one = |text: String| {
        let network = network(&text).ok_or_else(|| is_none(text))?;
        match network.prefix_len() {
            0 => Err(is_everybody(network)),
            _ => Ok(network),
        }
    };
    texts.into_iter().map(one).collect()
}
