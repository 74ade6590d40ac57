//! The client's address: the socket's peer, or the address that a trusted proxy states.
//!
//! # What is certain
//!
//! A forwarding header holds what the client sent, and after that one entry of each proxy. A proxy
//! appends; it does not check what it received. So the only thing that is known of the header is its
//! end: the last entry is the peer's, if the peer is a trusted proxy. If the address in that entry is a
//! trusted proxy's too, the entry before it is from that proxy, and so on. The first address that is
//! not a trusted proxy's is the client's, and everything before it is the client's invention.
//!
//! For this reason both lists are read from the right only, also `Forwarded` with its quoted strings.
//! An element that a proxy wrote as [RFC 7239] demands can be read from its last character to the comma
//! before it, whatever comes before that comma: see [`rfc7239`]. Read from the left, a quote that the
//! client leaves open would swallow the proxy's element, or turn a part of it into an element of the
//! client's choice.
//!
//! # The safe side
//!
//! If the header ends or cannot be read before the client's address is reached, the client is
//! somewhere behind the last trusted proxy that was reached. That proxy's address is certain, and the
//! request shares its bucket, together with all requests of which no more is known. It is never exempt
//! by its network: the address is not the client's. A client that makes its proxy omit or garble the
//! header (`Connection: X-Forwarded-For`, as in CVE-2022-31813) thus loses its own bucket and gains
//! nothing.
//!
//! [RFC 7239]: https://www.rfc-editor.org/rfc/rfc7239

mod forwarded_header;
mod ipv6_prefix;
mod network;
mod node;
mod peer;
mod proxies;
mod rfc7239;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use self::forwarded_header::ForwardedHeader;
pub(crate) use self::{
    ipv6_prefix::Ipv6Prefix,
    network::{is_internal, is_internal_v4, network},
    node::ipv4_inside,
    peer::peer,
    proxies::{LONGEST_CHAIN, Trust, TrustedProxies},
};

/// The address that a request is limited by, and how certain it is that this is the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAddress {
    /// The socket's peer, which is not a trusted proxy.
    Peer(IpAddr),
    /// The address that a trusted proxy states.
    Stated(IpAddr),
    /// The safe side: the client is behind this trusted proxy, which does not state its address.
    Behind {
        /// `None` if it has no address itself, as on a Unix socket.
        proxy: Option<IpAddr>,
        gap: Gap,
    },
    /// The peer has no address, and is not trusted.
    Unknown,
}

/// Why a trusted proxy's client is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The request does not have the header.
    MissingHeader,
    /// The proxy's entry cannot be read, or states no address.
    UnreadableEntry,
    /// The proxy is the client that another one states.
    EndOfChain,
}

impl ClientAddress {
    /// Returns the address that the request is limited by. It may be that of a proxy.
    #[inline]
    pub(crate) fn limited_by(self) -> Option<IpAddr> {
        match self {
            Self::Peer(address) | Self::Stated(address) => Some(address),
            Self::Behind { proxy, .. } => proxy,
            Self::Unknown => None,
        }
    }

    /// Returns the client's own address, if it is certain.
    #[inline]
    pub(crate) fn certain(self) -> Option<IpAddr> {
        match self {
            Self::Peer(address) | Self::Stated(address) => Some(address),
            Self::Behind { .. } | Self::Unknown => None,
        }
    }
}

/// One entry of a forwarding header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Address(IpAddr),
    /// It is well-formed, and the proxy does not state whom it was called by.
    Hidden,
    Malformed,
}
