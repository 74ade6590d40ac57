//! The client's address: the socket's peer, or what a proxy says that we were told to trust.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use ipnet::IpNet;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header in which the trusted proxies say whom they speak for.
///
/// There is one and not a list of candidates: a proxy that sets the one passes on whatever the
/// client put into the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: 203.0.113.7, 10.0.0.2`, as nearly every proxy writes it.
    #[default]
    XForwardedFor,
    /// `Forwarded: for=203.0.113.7;proto=https, for=10.0.0.2`, [RFC 7239].
    ///
    /// [RFC 7239]: https://www.rfc-editor.org/rfc/rfc7239
    Forwarded,
}

/// Which proxies are trusted, and with what.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies {
    pub(crate) networks: Vec<IpNet>,
    pub(crate) header: ForwardedHeader,
}

impl TrustedProxies {
    /// The client's address, given the socket's peer.
    ///
    /// The header is read from the right, since each proxy appends the address that it was
    /// called from: the first address that is not a trusted proxy's is the client's, and what is
    /// left of it is only what the client says of itself. An entry that is no address ends the
    /// walk at the proxy that wrote it.
    #[inline]
    pub(crate) fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if self.networks.is_empty() {
            return peer;
        }
        self.walk(peer, headers)
    }

    fn walk(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let (name, parse): (_, fn(&str) -> Option<IpAddr>) = match self.header {
            ForwardedHeader::XForwardedFor => (&X_FORWARDED_FOR, address),
            ForwardedHeader::Forwarded => (&FORWARDED, forwarded_for),
        };
        for entry in entries_from_the_right(headers, name) {
            let Some(address) = str::from_utf8(entry).ok().and_then(parse) else {
                break;
            };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// The comma-separated entries of every line of a header, the last first.
///
/// Commas within quotes divide, too: an address holds none, and a quote that a client leaves open
/// must not swallow what the proxy appends.
fn entries_from_the_right<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .rev()
        .map(HeaderValue::as_bytes)
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
}

/// `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let unbracketed = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    unbracketed
        .parse()
        .or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()))
        .ok()
        .map(|ip: IpAddr| ip.to_canonical())
}

/// The address in `for=…` of one element of `Forwarded`. The names that it may hold instead
/// (`unknown`, `_hidden`) are not addresses.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))
        .and_then(|(_, value)| address(value.trim().trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn client(header: ForwardedHeader, peer: &str, lines: &[&[u8]]) -> String {
        let proxies = TrustedProxies {
            networks: ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"]
                .map(|net| net.parse().expect("a network"))
                .to_vec(),
            header,
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            for name in ["x-forwarded-for", "forwarded"] {
                headers.append(name, HeaderValue::from_bytes(line).expect("a value"));
            }
        }
        let peer = peer.parse().expect("an address");
        proxies.client_ip(peer, &headers).to_string()
    }

    #[test]
    fn x_forwarded_for_is_walked_from_the_right() {
        let cases: &[(&str, &[&[u8]], &str)] = &[
            // An untrusted peer may say what it likes.
            ("198.51.100.9", &[b"1.2.3.4"], "198.51.100.9"),
            ("198.51.100.9", &[b"10.0.0.1"], "198.51.100.9"),
            ("10.0.0.1", &[b"203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &[b"1.2.3.4, 203.0.113.7"], "203.0.113.7"),
            (
                "10.0.0.1",
                &[b"203.0.113.7,10.0.0.9 , 10.1.1.1"],
                "203.0.113.7",
            ),
            ("10.0.0.1", &[b"1.2.3.4", b"203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &[b"203.0.113.7", b"", b", ,"], "203.0.113.7"),
            // All of them trusted: the one that is furthest away.
            ("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &[], "10.0.0.1"),
            // What is no address ends the walk at the proxy that wrote it.
            ("10.0.0.1", &[b"1.2.3.4, unknown"], "10.0.0.1"),
            ("10.0.0.1", &[b"1.2.3.4, \xff\xfe, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &[b"203.0.113.7:4711"], "203.0.113.7"),
            ("10.0.0.1", &[b"[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &[b"[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &[b"2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &[b"::ffff:203.0.113.7"], "203.0.113.7"),
            ("::ffff:10.0.0.1", &[b"203.0.113.7"], "203.0.113.7"),
            ("fd00::1", &[b"203.0.113.7, ::ffff:10.0.0.1"], "203.0.113.7"),
        ];
        for (peer, lines, expected) in cases {
            assert_eq!(
                client(ForwardedHeader::XForwardedFor, peer, lines),
                *expected,
                "{peer} {lines:?}"
            );
        }
    }

    #[test]
    fn forwarded_is_walked_from_the_right() {
        let cases: &[(&str, &[&[u8]], &str)] = &[
            ("198.51.100.9", &[b"for=1.2.3.4"], "198.51.100.9"),
            ("10.0.0.1", &[b"for=203.0.113.7"], "203.0.113.7"),
            (
                "10.0.0.1",
                &[b"for=1.2.3.4, By=10.0.0.3; FOR=\"203.0.113.7:4711\";proto=https, for=10.0.0.2"],
                "203.0.113.7",
            ),
            ("10.0.0.1", &[b"for=\"[2001:db8::1]:4711\""], "2001:db8::1"),
            ("10.0.0.1", &[b"for=1.2.3.4, for=_hidden"], "10.0.0.1"),
            ("10.0.0.1", &[b"for=1.2.3.4, proto=https"], "10.0.0.1"),
            // A quote left open does not swallow what the proxy appends.
            (
                "10.0.0.1",
                &[b"for=\"1.2.3.4, for=203.0.113.7"],
                "203.0.113.7",
            ),
        ];
        for (peer, lines, expected) in cases {
            assert_eq!(
                client(ForwardedHeader::Forwarded, peer, lines),
                *expected,
                "{peer} {lines:?}"
            );
        }
    }

    #[test]
    fn the_header_that_the_proxy_does_not_write_is_not_read() {
        let proxies = TrustedProxies {
            networks: vec!["10.0.0.0/8".parse().expect("a network")],
            header: ForwardedHeader::XForwardedFor,
        };
        let mut headers = HeaderMap::new();
        headers.insert("forwarded", HeaderValue::from_static("for=1.2.3.4"));
        let peer = "10.0.0.1".parse().expect("an address");
        assert_eq!(proxies.client_ip(peer, &headers), peer);
    }

    /// What a header line may hold: bytes of any kind, and pieces of what it should hold.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let byte = (0x20_u8..=0xff).prop_filter("a header value", |byte| *byte != 0x7f);
        let piece = prop_oneof![
            vec(byte, 0..40),
            r#"(for=|;|"|,| |\[|:|::ffff:|10\.0\.0\.1|203\.0\.113\.[0-9]{1,3}|by=_x){1,12}"#
                .prop_map(String::into_bytes),
        ];
        vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_that_a_client_sends_comes_before_what_the_proxy_appends(
            sent in vec(line(), 0..4),
            last in line(),
        ) {
            let cases = [
                (ForwardedHeader::XForwardedFor, "203.0.113.200"),
                (ForwardedHeader::Forwarded, "for=203.0.113.200;proto=https"),
            ];
            for (header, appended) in cases {
                let mut sent = sent.clone();
                // To the client's last line, as a proxy does it, or on a line of its own.
                sent.push([&last, &b", "[..], appended.as_bytes()].concat());
                let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
                prop_assert_eq!(client(header, "10.0.0.1", &sent), "203.0.113.200");
                let own = [&sent[..sent.len() - 1], &[appended.as_bytes()]].concat();
                prop_assert_eq!(client(header, "10.0.0.1", &own), "203.0.113.200");
                // And from a peer that is not trusted it says nothing at all.
                prop_assert_eq!(client(header, "198.51.100.9", &sent), "198.51.100.9");
            }
        }
    }
}
