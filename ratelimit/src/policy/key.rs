//! What shares a bucket.

use http::HeaderName;

/// What requests have in common that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// The API key, where it is known; the client's IP address for everybody else.
    ///
    /// A key that the tier resolver does not know is only a claim: were it to get a bucket of its
    /// own, a fresh random key per request would be a way around every limit.
    ApiKey,
    /// The client's IP address: the socket's peer, or what a trusted proxy says. IPv6 clients
    /// share a bucket by /64, the least that a subscriber is given.
    Ip,
    /// One bucket for everybody on the same tier.
    Global,
    /// The value of a header, and the client's IP address where it is missing.
    ///
    /// Only for headers that the client cannot choose, because a gateway sets them.
    Header(&'static HeaderName),
}
