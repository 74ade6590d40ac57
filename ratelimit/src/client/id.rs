//! Who a bucket belongs to, in a fixed 17 bytes whatever a request says.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use sha2::{Digest, Sha256};

/// A client: an IP address, an API key, or whatever else a policy goes by.
///
/// Nothing secret can be read from it: of all but addresses it holds 128 bits of their SHA-256. It
/// is shown as `ip:203.0.113.7`, `ip:2001:db8:1:2::/64`, `ip:unknown`, `everybody`, or as
/// `key:<hex>` for an API key, and likewise `identity`, `header`, `path`, `value` and `all`.
///
/// It can be read again from that text, and from a bare address: `"203.0.113.7".parse()`.
///
/// The hexadecimal digits of a key can be had with `printf %s "$KEY" | sha256sum | cut -c1-32`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Everybody,
    UnknownIp,
    V4([u8; 4]),
    /// The first 64 bits: what a subscriber is given at the least, so that changing the rest is no
    /// way to a new bucket.
    V6([u8; 8]),
    ApiKey([u8; 16]),
    Identity([u8; 16]),
    Header([u8; 16]),
    Path([u8; 16]),
    Value([u8; 16]),
    All([u8; 16]),
}

impl ClientId {
    /// Everybody, in one bucket.
    pub const EVERYBODY: Self = Self(Kind::Everybody);

    /// All the clients whose address is not known, in one bucket.
    pub const UNKNOWN_IP: Self = Self(Kind::UnknownIp);

    /// The client at an address. An IPv4 address that is mapped into IPv6 is that IPv4 address;
    /// IPv6 addresses are told apart by their /64.
    pub fn ip(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(Kind::V4(v4.octets())),
            IpAddr::V6(v6) => {
                let mut network = [0; 8];
                network.copy_from_slice(&v6.octets()[..8]);
                Self(Kind::V6(network))
            }
        }
    }

    /// The client with an API key.
    pub fn api_key(key: &[u8]) -> Self {
        Self(Kind::ApiKey(digest(key)))
    }

    /// The client that the application knows under this name.
    pub fn identity(name: &[u8]) -> Self {
        Self(Kind::Identity(digest(name)))
    }

    /// The client with a header of this value.
    pub fn header(value: &[u8]) -> Self {
        Self(Kind::Header(digest(value)))
    }

    /// Whoever asks for a path with this parameter.
    pub fn path(value: &str) -> Self {
        Self(Kind::Path(digest(value.as_bytes())))
    }

    /// Whoever has this value under a key of the application's own.
    pub fn value(value: &str) -> Self {
        Self(Kind::Value(digest(value.as_bytes())))
    }

    /// Who is all of these at once.
    pub fn all(ids: impl IntoIterator<Item = Self>) -> Self {
        let mut hash = Sha256::new();
        for id in ids {
            hash.update(id.to_string());
            hash.update([0]);
        }
        Self(Kind::All(half(&hash.finalize())))
    }
}

fn digest(bytes: &[u8]) -> [u8; 16] {
    half(&Sha256::digest(bytes))
}

fn half(digest: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Everybody => f.write_str("everybody"),
            Kind::UnknownIp => f.write_str("ip:unknown"),
            Kind::V4(octets) => write!(f, "ip:{}", Ipv4Addr::from(octets)),
            Kind::V6(network) => {
                let network = u128::from(u64::from_be_bytes(network)) << 64;
                write!(f, "ip:{}/64", Ipv6Addr::from(network))
            }
            Kind::ApiKey(digest) => hex(f, "key", digest),
            Kind::Identity(digest) => hex(f, "identity", digest),
            Kind::Header(digest) => hex(f, "header", digest),
            Kind::Path(digest) => hex(f, "path", digest),
            Kind::Value(digest) => hex(f, "value", digest),
            Kind::All(digest) => hex(f, "all", digest),
        }
    }
}

fn hex(f: &mut fmt::Formatter<'_>, kind: &str, digest: [u8; 16]) -> fmt::Result {
    write!(f, "{kind}:{:032x}", u128::from_be_bytes(digest))
}

/// A text that names no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a client is named as 203.0.113.7, ip:2001:db8:1:2::/64, everybody, or key: and the first 32 digits of its SHA-256, and likewise identity:, header:, path:, value: and all:"
)]
#[non_exhaustive]
pub struct NoClientId;

impl FromStr for ClientId {
    type Err = NoClientId;

    fn from_str(text: &str) -> Result<Self, NoClientId> {
        if let Ok(address) = text.parse() {
            return Ok(Self::ip(address));
        }
        if text == "everybody" {
            return Ok(Self::EVERYBODY);
        }
        let (kind, name) = text.split_once(':').ok_or(NoClientId)?;
        let kind: fn([u8; 16]) -> Kind = match kind {
            "ip" => return by_address(name).ok_or(NoClientId),
            "key" => Kind::ApiKey,
            "identity" => Kind::Identity,
            "header" => Kind::Header,
            "path" => Kind::Path,
            "value" => Kind::Value,
            "all" => Kind::All,
            _ => return Err(NoClientId),
        };
        if name.len() != 32 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoClientId);
        }
        let digest = u128::from_str_radix(name, 16).map_err(|_| NoClientId)?;
        Ok(Self(kind(digest.to_be_bytes())))
    }
}

fn by_address(name: &str) -> Option<ClientId> {
    if name == "unknown" {
        return Some(ClientId::UNKNOWN_IP);
    }
    // The networks that IPv6 addresses are told apart by are shown with their length.
    let address = match name.strip_suffix("/64") {
        Some(network) => IpAddr::V6(network.parse().ok()?),
        None => name.parse().ok()?,
    };
    Some(ClientId::ip(address))
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> ClientId {
        ClientId::ip(text.parse().expect("an address"))
    }

    #[test]
    fn an_address_is_keyed_by_what_a_subscriber_is_given() {
        assert_eq!(ip("203.0.113.7").to_string(), "ip:203.0.113.7");
        assert_eq!(ip("::ffff:203.0.113.7"), ip("203.0.113.7"));
        assert_ne!(ip("::ffff:203.0.113.7"), ip("::ffff:203.0.113.8"));
        assert_eq!(ip("2001:db8:1:2::1"), ip("2001:db8:1:2:3:4:5:6"));
        assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
        assert_eq!(ip("2001:db8:1:2::1").to_string(), "ip:2001:db8:1:2::/64");
    }

    #[test]
    fn a_key_is_shown_as_the_documented_command_prints_it() {
        // printf %s secret-key | sha256sum | cut -c1-32
        assert_eq!(
            ClientId::api_key(b"secret-key").to_string(),
            "key:85dbe15d75ef9308c7ae0f33c7a324cc"
        );
        assert_ne!(ClientId::api_key(b"x"), ClientId::header(b"x"));
        let (a, b) = (ClientId::path("a"), ClientId::value("b"));
        assert_ne!(ClientId::all([a, b]), ClientId::all([b, a]));
        assert!(!format!("{:?}", ClientId::api_key(b"secret-key")).contains("secret"));
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        let all = [
            ClientId::EVERYBODY,
            ClientId::UNKNOWN_IP,
            ip("203.0.113.7"),
            ip("2001:db8:1:2::1"),
            ip("::"),
            ClientId::api_key(b"k"),
            ClientId::identity(b"k"),
            ClientId::header(b"k"),
            ClientId::path("k"),
            ClientId::value("k"),
            ClientId::all([ClientId::path("k")]),
        ];
        for id in all {
            assert_eq!(id.to_string().parse(), Ok(id), "{id}");
        }
        assert_eq!("2001:db8:1:2:3::1".parse(), Ok(ip("2001:db8:1:2::1")));
        let digits = "85dbe15d75ef9308c7ae0f33c7a324cc";
        for text in [
            "",
            "key",
            "key:",
            "ip:",
            "ip:203.0.113.7/64",
            "203.0.113.0/24",
            "everyone",
            &format!("keys:{digits}"),
            &format!("key:{}", &digits[1..]),
            &format!("key:+{}", &digits[1..]),
            &format!("key:{digits}0"),
        ] {
            assert_eq!(text.parse::<ClientId>(), Err(NoClientId), "{text}");
        }
    }

    #[test]
    fn it_stays_small_whatever_the_request_says() {
        assert_eq!(size_of::<ClientId>(), 17);
        assert_eq!(ClientId::header(&[b'a'; 8192]).to_string().len(), 39);
    }
}
