//! The way from the socket's peer to the client, through the proxies that are trusted.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use super::{
    ClientAddress, Entry, ForwardedHeader, Gap,
    forwarded_header::{single, x_forwarded_for},
    rfc7239::forwarded,
};

/// How many proxies a request may have passed: more than there are in any network, and a bound for the
/// work that a header of many entries causes.
pub(crate) const LONGEST_CHAIN: usize = 32;

/// The proxies that are trusted, and the header that they write.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    pub(crate) trust: Trust,
    pub(crate) header: ForwardedHeader,
}

/// How a trusted proxy is recognized.
#[derive(Clone, Debug, Default)]
pub(crate) enum Trust {
    /// No proxy is trusted.
    #[default]
    NoProxy,
    /// By its address. `socket`: a peer without an address is trusted, too.
    Networks { networks: Vec<IpNet>, socket: bool },
    /// By its place: the peer is the first of this number of proxies.
    Hops(usize),
}

impl Trust {
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::NoProxy)
    }

    /// Returns whether the proxy at this place is trusted. The peer is at 0, and the proxy that called it
    /// is at 1.
    ///
    /// An address is compared as it is. An IPv4 address inside of a NAT64 address is not looked at: the
    /// well-known prefix must not be used for private addresses ([RFC 6052, section 3.1]), so a
    /// peer at `64:ff9b::10.0.0.1` is not the proxy at 10.0.0.1.
    ///
    /// [RFC 6052, section 3.1]: https://www.rfc-editor.org/rfc/rfc6052#section-3.1
    fn includes(&self, place: usize, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Self::NoProxy, _) => false,
            (Self::Networks { networks, .. }, Some(address)) => {
                networks.iter().any(|network| network.contains(&address))
            }
            (Self::Networks { socket, .. }, None) => *socket && place == 0,
            (Self::Hops(hops), _) => place < *hops,
        }
    }
}

impl TrustedProxies {
    /// Returns the client's address, given the socket's peer.
    pub(crate) fn client_address(
        &self,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> ClientAddress {
        let peer = peer.map(|address| address.to_canonical());
        if !self.trust.includes(0, peer) {
            return peer.map_or(ClientAddress::Unknown, ClientAddress::Peer);
        }
        match &self.header {
            ForwardedHeader::XForwardedFor => self.walk(peer, x_forwarded_for(headers)),
            ForwardedHeader::Forwarded => self.walk(peer, forwarded(headers)),
            ForwardedHeader::Address(name) => self.walk(peer, single(headers, name)),
        }
    }

    /// Walks from a trusted peer to the first address that is not a trusted proxy's. `entries` are those
    /// of the header, the last first.
    fn walk(&self, peer: Option<IpAddr>, entries: impl Iterator<Item = Entry>) -> ClientAddress {
        // The last trusted proxy whose address is certain.
        let mut proxy = peer;
        let mut gap = Gap::MissingHeader;
        for (place, entry) in (1..=LONGEST_CHAIN).zip(entries) {
            match entry {
                Entry::Address(address) if self.trust.includes(place, Some(address)) => {
                    proxy = Some(address);
                    gap = Gap::EndOfChain;
                }
                Entry::Address(address) => return ClientAddress::Stated(address),
                // A proxy that is recognized by its place needs no address.
                Entry::Hidden if self.trust.includes(place, None) => gap = Gap::EndOfChain,
                Entry::Hidden | Entry::Malformed => {
                    gap = Gap::UnreadableEntry;
                    break;
                }
            }
        }
        ClientAddress::Behind { proxy, gap }
    }
}
