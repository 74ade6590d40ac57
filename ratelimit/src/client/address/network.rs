//! Networks: those of the settings, and those that are not on the internet.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// Returns the network that a setting names: an address is a network of one. IPv4 networks that are
/// mapped into IPv6 are IPv4 networks, as addresses are.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse().ok().map(|ip: IpAddr| IpNet::from(ip));
    text.parse().ok().or_else(address).map(canonical)
}

fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len()) {
        (IpAddr::V4(v4), bits @ 96..) if network.addr().is_ipv6() => {
            Ipv4Net::new(v4, bits - 96).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

/// Returns whether an address is one of those that are not routed on the internet: private, loopback,
/// link-local, of a provider's own network ([RFC 6598]), or unique local. A peer with such an address
/// is mostly a proxy.
///
/// [RFC 6598]: https://www.rfc-editor.org/rfc/rfc6598
pub(crate) fn is_internal(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_internal_v4(v4),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Does what [`is_internal`] does. Every request of a client without a proxy comes here, so that the
/// address is compared as a number, which takes a fraction of the time that its bytes take.
#[inline]
pub(crate) fn is_internal_v4(address: Ipv4Addr) -> bool {
    const NETWORKS: [([u8; 4], u32); 6] = [
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 168, 0, 0], 16),
    ];

    NETWORKS.iter().any(|(network, length)| {
        let differences = address.to_bits() ^ u32::from_be_bytes(*network);
        differences >> (32 - length) == 0
    })
}
