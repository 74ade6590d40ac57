//! The client of a request: which of the addresses in a line is believed.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;

/// The networks that proxies are in if none are given: private use, loopback, link-local, and those
/// that carriers and clouds share.
const PRIVATE: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "127.0.0.0/8",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// A network as it is given: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network(IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse().ok().or_else(address);
        network
            .map(Self)
            .ok_or_else(|| "not a network such as 10.0.0.0/8, and not an address".to_owned())
    }
}

/// The networks of proxies, whose forwarded addresses are trusted.
pub(crate) struct TrustedNetworks(Vec<IpNet>);

/// The client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// The address is in a trusted network: no address of a client was found behind the proxies.
    pub(crate) is_proxy: bool,
    /// The line names another client before this one, which no trusted proxy has appended.
    pub(crate) ignores_list: bool,
}

impl TrustedNetworks {
    /// Trusts these networks, or the private ones if there are none.
    pub(crate) fn new(networks: &[Network]) -> Self {
        if networks.is_empty() {
            let networks = PRIVATE.iter().filter_map(|network| network.parse().ok());
            return Self(networks.collect());
        }
        Self(networks.iter().map(|Network(network)| *network).collect())
    }

    /// Finds the client among the addresses of a line: `forwarded` is the list that proxies have
    /// appended to, `near` what the server wrote itself, which ends with its peer's address.
    ///
    /// The rule is the limiter's: the addresses are read from the right, and the first one that is
    /// not a trusted proxy's is the client's. An entry that is not an address ends the walk at the
    /// proxy that wrote it. Returns `None` if the last entry is not an address.
    pub(super) fn client(&self, forwarded: &str, near: &str) -> Option<Client> {
        // A peer such as `unix:` has no address: the list has the nearest one then.
        let near = if is_list(near) { near } else { "" };
        let mut hops = entries(near).chain(entries(forwarded)).map_while(address);
        let mut proxy = None;
        while let Some(address) = hops.next() {
            if !self.trusts(address) {
                let other = hops.find(|hop| !self.trusts(*hop));
                return Some(Client {
                    address,
                    is_proxy: false,
                    ignores_list: proxy.is_none() && other.is_some_and(|other| other != address),
                });
            }
            proxy = Some(address);
        }
        proxy.map(|address| Client {
            address,
            is_proxy: true,
            ignores_list: false,
        })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Returns whether a text is a list of addresses as proxies make it: the last entry is an address.
/// What is left of it may be anything.
pub(super) fn is_list(text: &str) -> bool {
    entries(text).next().and_then(address).is_some()
}

/// Returns the entries of a list with commas, the last first.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    let entries = list.rsplit(',').map(str::trim);
    entries.filter(|entry| !entry.is_empty())
}

/// Parses `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`,
/// `fe80::1%eth0`, or `2001:db8::1:54711` as `HAProxy` writes it. A port after a `::` that could be a part
/// of the address is taken for that, and changes nothing about the network.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    if !text.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':' || c == '[') {
        return None;
    }
    let bare = match text.strip_prefix('[') {
        // What comes after the bracket is a port or nothing.
        Some(rest) => match rest.split_once(']')? {
            (inner, "") => inner,
            (inner, port) => {
                port.strip_prefix(':')?.parse::<u16>().ok()?;
                inner
            }
        },
        None => text,
    };
    let unscoped = bare.split_once('%').map_or(bare, |(address, _)| address);
    let socket = || text.parse().map(|socket: SocketAddr| socket.ip()).ok();
    let parsed = unscoped.parse().ok().or_else(socket);
    let address = parsed.or_else(|| with_port(text).map(IpAddr::V6))?;
    Some(address.to_canonical())
}

/// Parses an IPv6 address that is written with its port, and without brackets.
fn with_port(text: &str) -> Option<Ipv6Addr> {
    let (address, port) = text.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    address.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_all_ways_that_servers_write_them() {
        let cases = [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1:40001", "2001:db8::1"),
            ("2001:db8:1:2:3:4:5:6:80", "2001:db8:1:2:3:4:5:6"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:4711", "203.0.113.7"),
        ];
        for (text, expected) in cases {
            let read = address(text).map(|address| address.to_string());
            assert_eq!(read.as_deref(), Some(expected), "{text}");
        }
        let others = [
            "",
            "-",
            "_",
            "unknown",
            "localhost",
            "203.0.113",
            "203.0.113.7.1",
            "203.0.113.256",
            "203.0.113.7:x",
            "203.0.113.7:99999",
            "2001:db8::1:99999",
            "2001:db8::1:40001:40001",
            "[203.0.113.7",
            "[2001:db8::1]4711",
            "12345",
            "unix:",
        ];
        for text in others {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_address_that_no_trusted_proxy_has_is_the_clients() {
        // Forwarded, near, client, whether that is a proxy, whether the list is ignored.
        let cases = [
            ("", "203.0.113.7", "203.0.113.7", false, false),
            ("203.0.113.7, 10.0.0.2", "", "203.0.113.7", false, false),
            ("203.0.113.7", "10.0.0.2", "203.0.113.7", false, false),
            (
                "1.2.3.4, 203.0.113.7",
                "10.0.0.2",
                "203.0.113.7",
                false,
                false,
            ),
            (
                "1.2.3.4,203.0.113.7 , 10.0.0.9,",
                "::ffff:10.0.0.2",
                "203.0.113.7",
                false,
                false,
            ),
            ("1.2.3.4, unknown", "10.0.0.2", "10.0.0.2", true, false),
            (
                "1.2.3.4, unknown, 10.0.0.9",
                "10.0.0.2",
                "10.0.0.9",
                true,
                false,
            ),
            ("10.0.0.4, 10.0.0.3", "10.0.0.2", "10.0.0.4", true, false),
            ("-", "10.0.0.2", "10.0.0.2", true, false),
            ("203.0.113.7", "unix:", "203.0.113.7", false, false),
            ("1.2.3.4", "198.51.100.9", "198.51.100.9", false, true),
            ("203.0.113.7, 198.51.100.9", "", "198.51.100.9", false, true),
            (
                "1.2.3.4, 198.51.100.9",
                "198.51.100.9",
                "198.51.100.9",
                false,
                false,
            ),
            (
                "198.51.100.9, 10.0.0.2",
                "198.51.100.9",
                "198.51.100.9",
                false,
                false,
            ),
            (
                "1.2.3.4",
                "198.51.100.9, 10.0.0.2",
                "198.51.100.9",
                false,
                false,
            ),
        ];
        let private = TrustedNetworks::new(&[]);
        for (forwarded, near, address, is_proxy, ignores_list) in cases {
            let expected = Client {
                address: address.parse().expect("an address"),
                is_proxy,
                ignores_list,
            };
            let client = private.client(forwarded, near);
            assert_eq!(client, Some(expected), "{forwarded:?} {near:?}");
        }
        for (forwarded, near) in [
            ("", ""),
            ("-", "-"),
            ("203.0.113.7, x", ""),
            ("", "localhost"),
        ] {
            assert_eq!(
                private.client(forwarded, near),
                None,
                "{forwarded:?} {near:?}"
            );
        }
        // Networks that are given replace the private ones.
        let networks =
            ["198.51.100.0/24", "2001:db8::5"].map(|text| text.parse().expect("a network"));
        let given = TrustedNetworks::new(&networks);
        let client = |forwarded, near| {
            given
                .client(forwarded, near)
                .expect("one")
                .address
                .to_string()
        };
        assert_eq!(
            client("203.0.113.7, 2001:db8::5", "198.51.100.9"),
            "203.0.113.7"
        );
        assert_eq!(client("203.0.113.7", "10.0.0.2"), "10.0.0.2");
    }
}
