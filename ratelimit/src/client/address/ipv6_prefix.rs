//! How many leading bits of an IPv6 address name a client.

use std::{net::Ipv6Addr, ops::RangeInclusive};

/// The length of the prefix by which IPv6 addresses share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ipv6Prefix(u8);

impl Ipv6Prefix {
    /// A provider has a /32 or a shorter prefix, so that fewer bits would be many providers. A host
    /// chooses the last 64 bits of its address itself ([RFC 4291, section 2.5.1]), so that with more bits
    /// a client would choose its bucket.
    ///
    /// [RFC 4291, section 2.5.1]: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.1
    pub(crate) const LENGTHS: RangeInclusive<u8> = 32..=64;

    pub(crate) fn new(length: u8) -> Option<Self> {
        Self::LENGTHS.contains(&length).then_some(Self(length))
    }

    #[inline]
    pub(crate) fn length(self) -> u8 {
        self.0
    }

    /// Returns the address with all bits after the prefix set to zero.
    #[inline]
    pub(crate) fn network(self, address: Ipv6Addr) -> Ipv6Addr {
        let mask = u128::MAX << (128 - u32::from(self.0));
        Ipv6Addr::from_bits(address.to_bits() & mask)
    }
}

impl Default for Ipv6Prefix {
    fn default() -> Self {
        Self(64)
    }
}
