//! The forms in which headers state an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Entry;

/// Reads an entry of `X-Forwarded-For`, or the value of a header with one address: `203.0.113.7`,
/// `203.0.113.7:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`. No specification says
/// which forms there are; these are the ones that proxies write.
pub(super) fn loose(text: &[u8]) -> Entry {
    // As Squid hides a client, and as nginx names one that came through a Unix socket.
    if text.eq_ignore_ascii_case(b"unknown") || text == b"unix:" {
        return Entry::Hidden;
    }
    let address = || -> Option<IpAddr> {
        let text = str::from_utf8(text).ok()?;
        let bracketed = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        match bracketed {
            Some(v6) => v6.parse().map(IpAddr::V6).ok(),
            None => text
                .parse()
                .or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()))
                .ok(),
        }
    };
    address().map_or(Entry::Malformed, |address| {
        Entry::Address(address.to_canonical())
    })
}

/// Reads a node of [RFC 7239, section 6]: a name, and perhaps a port.
///
/// [RFC 7239, section 6]: https://www.rfc-editor.org/rfc/rfc7239#section-6
pub(super) fn strict(text: &[u8]) -> Entry {
    let Ok(text) = str::from_utf8(text) else {
        return Entry::Malformed;
    };
    // In an IPv6 address, which is in brackets, colons do not begin the port.
    let name_ends = text.find(']').map_or(0, |bracket| bracket + 1);
    let (name, port) = match text[name_ends..].find(':') {
        Some(colon) => {
            let colon = name_ends + colon;
            (&text[..colon], Some(&text[colon + 1..]))
        }
        None => (text, None),
    };
    if !port.is_none_or(is_port) {
        return Entry::Malformed;
    }
    if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
        return Entry::Hidden;
    }
    let bracketed = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = match bracketed {
        Some(v6) => v6.parse().map(IpAddr::V6),
        None => name.parse().map(IpAddr::V4),
    };
    address.map_or(Entry::Malformed, |address| {
        Entry::Address(address.to_canonical())
    })
}

fn is_port(text: &str) -> bool {
    let is_number = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number || is_obfuscated(text)
}

fn is_obfuscated(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.strip_prefix('_')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_allowed))
}

/// Returns the IPv4 address that names a client with this IPv6 address: the one that is mapped into it,
/// or that a NAT64 translator has put into the well-known prefix `64:ff9b::/96` ([RFC 6052]). Without
/// this all IPv4 clients of a translator would share the bucket of one /64.
///
/// [RFC 6052]: https://www.rfc-editor.org/rfc/rfc6052#section-2.1
#[inline]
pub(crate) fn ipv4_inside(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const NAT64: u128 = 0x0064_ff9b << 96;

    if let Some(mapped) = address.to_ipv4_mapped() {
        return Some(mapped);
    }
    let bits = address.to_bits();
    let [.., a, b, c, d] = address.octets();
    (bits >> 32 << 32 == NAT64).then_some(Ipv4Addr::new(a, b, c, d))
}
