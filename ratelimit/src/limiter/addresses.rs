//! The client's address as the limiter's settings have it, and what the log says once about them.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::notice::Notice;
use crate::client::{
    ClientAddress, ClientId, ForwardedHeader, Gap, Ipv6Prefix, TrustedProxies, is_internal,
    is_internal_v4,
};

/// How a limiter finds the address of a client, and what it does with it.
#[derive(Default)]
pub(super) struct Addresses {
    pub(super) proxies: TrustedProxies,
    pub(super) exempt: Vec<IpNet>,
    pub(super) ipv6_prefix: Ipv6Prefix,
    pub(super) notices: Notices,
}

/// What is wrong with the settings or the proxies, as far as requests have shown it.
#[derive(Default)]
pub(super) struct Notices {
    no_address: Notice,
    proxy_not_trusted: Notice,
    proxy_states_nothing: Notice,
    proxy_not_exempt: Notice,
}

impl Addresses {
    /// Returns the client by its address.
    #[inline]
    pub(super) fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> ClientId {
        match peer {
            // Most requests without proxies: there is nothing to look for in the headers.
            Some(IpAddr::V4(peer)) if self.proxies.trust.is_none() && !is_internal_v4(peer) => {
                ClientId::ipv4(peer)
            }
            _ => self.client_by_headers(peer, headers),
        }
    }

    /// On its own, so that a check that does not need it does not save registers for it.
    #[inline(never)]
    fn client_by_headers(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> ClientId {
        let address = self.proxies.client_address(peer, headers);
        match address {
            ClientAddress::Stated(_) => {}
            ClientAddress::Peer(peer) => {
                if !self.notices.proxy_not_trusted.is_said() && is_internal(peer) {
                    self.warn_of_proxy_not_trusted(peer, headers);
                }
            }
            ClientAddress::Behind { proxy, gap } => self.warn_of_gap(proxy, gap, headers),
            ClientAddress::Unknown => self.warn_of_no_address(headers),
        }
        match address.limited_by() {
            Some(address) => ClientId::ip_by(address, self.ipv6_prefix),
            None => ClientId::UNKNOWN_IP,
        }
    }

    #[inline]
    pub(super) fn has_exempt_networks(&self) -> bool {
        !self.exempt.is_empty()
    }

    /// Returns whether the client is in an exempt network. Only the client's own address counts, if it
    /// is certain: a trusted proxy's would exempt all clients behind it.
    pub(super) fn is_client_exempt(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
        let address = self.proxies.client_address(peer, headers);
        if let Some(client) = address.certain() {
            return self.is_exempt(client);
        }
        if let Some(proxy) = address.limited_by()
            && self.is_exempt(proxy)
        {
            self.warn_of_proxy_not_exempt(proxy);
        }
        false
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|network| network.contains(&address))
    }

    #[cold]
    fn warn_of_proxy_not_trusted(&self, peer: IpAddr, headers: &HeaderMap) {
        let Some(header) = self.find(headers) else {
            return;
        };
        self.notices.proxy_not_trusted.once(|| {
            let fix = format!(".trusted_proxies([\"{peer}\"]){}", self.fix_of_header(header));
            tracing::warn!(
                %peer,
                %header,
                "an internal address sends requests with a forwarding header, but is not a trusted proxy, so \
                 that all clients behind it share one bucket: if it is your proxy, add {fix} to \
                 RateLimiter::builder()"
            );
        });
    }

    #[cold]
    fn warn_of_no_address(&self, headers: &HeaderMap) {
        self.notices.no_address.once(|| {
            if let Some(header) = self.find(headers) {
                let fix = format!(".trusted_socket(){}", self.fix_of_header(header));
                tracing::warn!(
                    %header,
                    "the addresses of clients are not known, so all of them share one bucket: if your proxy \
                     connects through a Unix socket, or this is AWS Lambda, add {fix} to \
                     RateLimiter::builder(); otherwise serve the app with \
                     app.into_make_service_with_connect_info::<std::net::SocketAddr>()"
                );
            } else {
                tracing::warn!(
                    "the addresses of clients are not known, so all of them share one bucket: serve the app \
                     with app.into_make_service_with_connect_info::<std::net::SocketAddr>()"
                );
            }
        });
    }

    #[cold]
    fn warn_of_gap(&self, proxy: Option<IpAddr>, gap: Gap, headers: &HeaderMap) {
        if self.notices.proxy_states_nothing.is_said() {
            return;
        }
        let expected = self.proxies.header.name();
        let proxy = || proxy.map_or_else(|| "a socket".to_owned(), |address| address.to_string());
        match gap {
            // The proxy itself, such as its health checks, if it sends no other header.
            Gap::MissingHeader => {
                if let Some(header) = ForwardedHeader::find(headers) {
                    self.notices.proxy_states_nothing.once(|| {
                        tracing::warn!(
                            proxy = proxy(),
                            %header,
                            "a trusted proxy does not send {expected}, so that all clients behind it share \
                             one bucket, but another forwarding header: if it is this that your proxy sets, \
                             add {} to RateLimiter::builder()",
                            setting_of(header)
                        );
                    });
                }
            }
            Gap::UnreadableEntry => self.notices.proxy_states_nothing.once(|| {
                tracing::warn!(
                    proxy = proxy(),
                    "a trusted proxy sends {expected} without an address that can be read, so that clients \
                     behind it share one bucket: make it state the address that it was called from"
                );
            }),
            Gap::EndOfChain => {}
        }
    }

    #[cold]
    fn warn_of_proxy_not_exempt(&self, proxy: IpAddr) {
        self.notices.proxy_not_exempt.once(|| {
            tracing::warn!(
                %proxy,
                "a request from a trusted proxy does not state its client, so that it is limited although \
                 exempt_networks has the proxy's address: name only the addresses of your load balancers in \
                 trusted_proxies, or use exempt_paths or a bypass_secret for requests of their own"
            );
        });
    }

    /// Returns the header in which a proxy has stated its client: the limiter's own, or another one.
    fn find<'a>(&'a self, headers: &HeaderMap) -> Option<&'a HeaderName> {
        let own = self.proxies.header.name();
        let has_own = headers.contains_key(own);
        has_own
            .then_some(own)
            .or_else(|| ForwardedHeader::find(headers))
    }

    /// Returns what else the builder needs for a header, if it does not use this one.
    fn fix_of_header(&self, header: &HeaderName) -> String {
        if header == self.proxies.header.name() {
            return String::new();
        }
        setting_of(header)
    }
}

fn setting_of(header: &HeaderName) -> String {
    let variant = if *header == *ForwardedHeader::XForwardedFor.name() {
        "XForwardedFor".to_owned()
    } else if *header == *ForwardedHeader::Forwarded.name() {
        "Forwarded".to_owned()
    } else {
        format!("Address(HeaderName::from_static(\"{header}\"))")
    };
    format!(".forwarded_header(ForwardedHeader::{variant})")
}
