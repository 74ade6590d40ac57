//! Who a bucket belongs to, in a fixed 17 bytes whatever a request says.

use std::{
    fmt::{self, Write},
    hash::{Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use sha2::{Digest, Sha256};

use super::{
    address::{Ipv6Prefix, ipv4_inside},
    host::Host,
};

/// A client: an IP address, an API key, or what else a policy's key says.
///
/// It is shown as `ip:203.0.113.7`, `ip:2001:db8:1:2::/64`, `ip:unknown`, `everybody`, or as
/// `key:<hex>` for an API key, and likewise `identity`, `header`, `host`, `path`, `value` and `all`. It
/// can be parsed from that text, from a bare address, and from a host's name behind `host:`:
/// `"203.0.113.7".parse()`, `"host:shop.example.com".parse()`.
///
/// Of all but addresses it holds 128 bits of their SHA-256: `printf %s "$KEY" | sha256sum | cut -c1-32`
/// prints the digits. All processes agree on it, and the names of keys in Redis contain it.
///
/// What the digest protects is a name that is hard to guess, such as an API key of random characters:
/// it cannot be found from the digest. It does not protect an email address, a user name or a number:
/// their digests can be computed one after the other, and compared. So this crate does not log a
/// `ClientId`, but a digest with a secret key,
/// [`RateLimiter::client_digest`](crate::RateLimiter::client_digest). An application that logs clients
/// should do the same.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ClientId {
    /// An address, or half of a digest. In front, so that it is moved in one piece: a processor waits
    /// where it reads across two that have just been written.
    name: [u8; 16],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Everybody,
    UnknownIp,
    V4,
    /// The network that an IPv6 address is in, whose prefix is at most 64 bits long. The last byte is
    /// the length of the prefix.
    V6,
    ApiKey,
    Identity,
    Header,
    Host,
    Path,
    Value,
    All,
}

/// As two numbers, which a fast hasher takes in two steps.
impl Hash for ClientId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.kind as u8);
        state.write_u128(u128::from_ne_bytes(self.name));
    }
}

impl ClientId {
    /// Everybody, in one bucket.
    pub const EVERYBODY: Self = Self::new(Kind::Everybody, [0; 16]);

    /// All the clients whose address is not known, in one bucket.
    pub const UNKNOWN_IP: Self = Self::new(Kind::UnknownIp, [0; 16]);

    const fn new(kind: Kind, name: [u8; 16]) -> Self {
        Self { name, kind }
    }

    /// Tells clients of one kind from those of another, as a number that is spread over 64 bits (by
    /// Fibonacci hashing: Knuth, volume 3, section 6.4).
    pub(crate) fn kind_id(self) -> u64 {
        (self.kind as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Whether it holds a digest, and not an address or nothing.
    pub(super) fn is_digest(self) -> bool {
        !matches!(
            self.kind,
            Kind::Everybody | Kind::UnknownIp | Kind::V4 | Kind::V6
        )
    }

    /// Tells it from others of its kind.
    pub(crate) fn name(self) -> [u8; 16] {
        self.name
    }

    /// Returns the client at an address.
    ///
    /// An IPv6 address that has an IPv4 address inside, mapped (`::ffff:203.0.113.7`) or by NAT64
    /// (`64:ff9b::203.0.113.7`), is that IPv4 address. Other IPv6 addresses share a client by their
    /// /64. A limiter with another [`ipv6_prefix`](crate::Builder::ipv6_prefix) takes this client for
    /// that of its own prefix, in [`RateLimiter::buckets_of`](crate::RateLimiter::buckets_of) and
    /// everywhere else, but not within [`ClientId::all`].
    ///
    /// ```
    /// use ratelimit::ClientId;
    ///
    /// let client = |address: &str| ClientId::ip(address.parse().expect("an address"));
    /// assert_eq!(client("203.0.113.7").to_string(), "ip:203.0.113.7");
    /// assert_eq!(client("::ffff:203.0.113.7"), client("203.0.113.7"));
    /// assert_eq!(client("2001:db8:1:2:3::4").to_string(), "ip:2001:db8:1:2::/64");
    /// ```
    #[inline]
    pub fn ip(address: IpAddr) -> Self {
        Self::ip_by(address, Ipv6Prefix::default())
    }

    /// Returns the client at an address, where IPv6 addresses share a client by this prefix.
    #[inline]
    pub(crate) fn ip_by(address: IpAddr, prefix: Ipv6Prefix) -> Self {
        match address {
            IpAddr::V4(v4) => Self::ipv4(v4),
            IpAddr::V6(v6) => match ipv4_inside(v6) {
                Some(v4) => Self::ipv4(v4),
                None => Self::ipv6_network(v6, prefix),
            },
        }
    }

    #[inline]
    pub(crate) fn ipv4(address: Ipv4Addr) -> Self {
        // In front, as in an IPv6 address its network is.
        let name = u128::from(address.to_bits()) << 96;
        Self::new(Kind::V4, name.to_be_bytes())
    }

    #[inline]
    fn ipv6_network(address: Ipv6Addr, prefix: Ipv6Prefix) -> Self {
        let mut name = prefix.network(address).octets();
        name[15] = prefix.length();
        Self::new(Kind::V6, name)
    }

    /// Returns the client that it is where IPv6 addresses share a client by this prefix: another one
    /// if it is an IPv6 network with a longer prefix.
    pub(crate) fn widened_to(self, prefix: Ipv6Prefix) -> Self {
        match (self.kind, self.name) {
            (Kind::V6, [.., length]) if length > prefix.length() => {
                Self::ipv6_network(Ipv6Addr::from(self.name), prefix)
            }
            _ => self,
        }
    }

    /// The client with an API key.
    pub fn api_key(key: &[u8]) -> Self {
        Self::new(Kind::ApiKey, digest(key))
    }

    /// The client that the application knows under this name.
    pub fn identity(name: &[u8]) -> Self {
        Self::new(Kind::Identity, digest(name))
    }

    /// The client with a header of this value.
    pub fn header(value: &[u8]) -> Self {
        Self::new(Kind::Header, digest(value))
    }

    /// The client that sends requests to this host: a bucket under a policy with
    /// [`Key::Host`](crate::Key::Host).
    ///
    /// All spellings of a host are one client: with and without a port, in upper and lower case, with
    /// and without a dot at the end, and an IPv6 address with and without brackets.
    ///
    /// ```
    /// use ratelimit::ClientId;
    ///
    /// let shop = ClientId::host("shop.example.com");
    /// assert_eq!(ClientId::host("Shop.Example.com:443"), shop);
    /// assert_eq!("host:shop.example.com".parse(), Ok(shop));
    /// ```
    pub fn host(host: &str) -> Self {
        match Host::parse_bare(host) {
            Some(host) => Self::canonical_host(host.as_str()),
            None => Self::canonical_host(host),
        }
    }

    /// Returns the client by a host in the one spelling that is compared.
    pub(super) fn canonical_host(host: &str) -> Self {
        Self::new(Kind::Host, digest(host.as_bytes()))
    }

    /// Whoever asks for a path with this parameter.
    pub fn path(value: &str) -> Self {
        Self::new(Kind::Path, digest(value.as_bytes()))
    }

    /// Whoever has this value under a key of the application's own.
    pub fn value(value: &str) -> Self {
        Self::new(Kind::Value, digest(value.as_bytes()))
    }

    /// Returns the client that is all of these at once, in this order, as under `key = (host, ip)`.
    ///
    /// For a limiter with another [`ipv6_prefix`](crate::Builder::ipv6_prefix) than 64, name an IPv6
    /// address by its network. [`ClientId::ip`] has the prefix 64, which no limiter can change here:
    ///
    /// ```
    /// use ratelimit::ClientId;
    ///
    /// let network: ClientId = "ip:2001:db8:1:200::/56".parse()?;
    /// let client = ClientId::all([ClientId::host("shop.example.com"), network]);
    /// # Ok::<(), ratelimit::NoClientId>(())
    /// ```
    pub fn all(ids: impl IntoIterator<Item = Self>) -> Self {
        let mut hash = Sha256::new();
        for id in ids {
            hash.update(id.to_string());
            hash.update([0]);
        }
        Self::new(Kind::All, half(&hash.finalize()))
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

impl ClientId {
    /// Writes what it is shown as. A check in Redis does so, and needs no formatter's room and ways
    /// for that.
    pub(crate) fn write_to(self, out: &mut impl Write) -> fmt::Result {
        let kind = match self.kind {
            Kind::Everybody => return out.write_str("everybody"),
            Kind::UnknownIp => return out.write_str("ip:unknown"),
            Kind::V4 => {
                let [a, b, c, d, ..] = self.name;
                out.write_str("ip:")?;
                out.write_str(itoa::Buffer::new().format(a))?;
                for octet in [b, c, d] {
                    out.write_str(".")?;
                    out.write_str(itoa::Buffer::new().format(octet))?;
                }
                return Ok(());
            }
            Kind::V6 => {
                let mut network = self.name;
                let length = std::mem::take(&mut network[15]);
                return write!(out, "ip:{}/{length}", Ipv6Addr::from(network));
            }
            Kind::ApiKey => "key",
            Kind::Identity => "identity",
            Kind::Header => "header",
            Kind::Host => "host",
            Kind::Path => "path",
            Kind::Value => "value",
            Kind::All => "all",
        };
        write!(out, "{kind}:{:032x}", u128::from_be_bytes(self.name))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// A text that names no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a client is named as 203.0.113.7, ip:2001:db8:1:2::/64, everybody, or key: and the first 32 digits of its SHA-256, host:shop.example.com or host: and such digits, and likewise identity:, header:, path:, value: and all:"
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
        let kind = match kind {
            "ip" => return by_address(name).ok_or(NoClientId),
            "key" => Kind::ApiKey,
            "identity" => Kind::Identity,
            "header" => Kind::Header,
            "host" if !is_digest(name) => return by_host(name).ok_or(NoClientId),
            "host" => Kind::Host,
            "path" => Kind::Path,
            "value" => Kind::Value,
            "all" => Kind::All,
            _ => return Err(NoClientId),
        };
        if !is_digest(name) {
            return Err(NoClientId);
        }
        let digest = u128::from_str_radix(name, 16).map_err(|_| NoClientId)?;
        Ok(Self::new(kind, digest.to_be_bytes()))
    }
}

fn is_digest(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn by_host(name: &str) -> Option<ClientId> {
    Host::parse_bare(name).map(|host| ClientId::canonical_host(host.as_str()))
}

fn by_address(name: &str) -> Option<ClientId> {
    if name == "unknown" {
        return Some(ClientId::UNKNOWN_IP);
    }
    // The networks by which IPv6 addresses share a client are shown with their length.
    let Some((network, length)) = name.split_once('/') else {
        return name.parse().map(ClientId::ip).ok();
    };
    // `+64` and `064` are numbers, too, and not shown by any client.
    let length = (length.len() == 2).then(|| length.parse().ok()).flatten();
    let prefix = Ipv6Prefix::new(length?)?;
    Some(ClientId::ipv6_network(network.parse().ok()?, prefix))
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
    fn an_ipv6_network_has_the_prefix_of_the_limiter() {
        let by = |address: &str, length| {
            let prefix = Ipv6Prefix::new(length).expect("a length");
            ClientId::ip_by(address.parse().expect("an address"), prefix)
        };
        for (length, shown) in [
            (32, "ip:2001:db8::/32"),
            (48, "ip:2001:db8:1::/48"),
            (56, "ip:2001:db8:1:200::/56"),
            (63, "ip:2001:db8:1:2fe::/63"),
            (64, "ip:2001:db8:1:2ff::/64"),
        ] {
            let client = by("2001:db8:1:2ff:3::4", length);
            assert_eq!(client.to_string(), shown);
            assert_eq!(shown.parse(), Ok(client));
            // An operator finds it by the address, whatever the prefix is.
            let prefix = Ipv6Prefix::new(length).expect("a length");
            assert_eq!(ip("2001:db8:1:2ff:3::4").widened_to(prefix), client);
            assert_eq!(client.widened_to(prefix), client);
            for other in [
                ip("203.0.113.7"),
                ClientId::api_key(b"k"),
                by("2001:db8::1", 32),
            ] {
                assert_eq!(other.widened_to(prefix), other);
            }
        }
        assert_eq!(by("203.0.113.7", 32), ip("203.0.113.7"));
        for length in [0, 31, 65, 128, 255] {
            assert_eq!(Ipv6Prefix::new(length), None);
            let shown = format!("ip:2001:db8::/{length}");
            assert_eq!(shown.parse::<ClientId>(), Err(NoClientId), "{shown}");
        }
    }

    #[test]
    fn an_ipv4_address_inside_of_an_ipv6_address_is_the_client() {
        assert_eq!(ip("64:ff9b::203.0.113.7"), ip("203.0.113.7"));
        assert_ne!(ip("64:ff9b::203.0.113.7"), ip("64:ff9b::203.0.113.8"));
        // Outside of 64:ff9b::/96.
        for address in [
            "64:ff9b::1:0:0",
            "64:ff9b:1::203.0.113.7",
            "64:ff9a::1",
            "::1",
        ] {
            let shown = ip(address).to_string();
            assert!(shown.ends_with("/64"), "{address}: {shown}");
            assert_eq!(shown.parse(), Ok(ip(address)), "{address}");
        }
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
            ClientId::host("k"),
            ClientId::host("[::1]:80"),
            ClientId::path("k"),
            ClientId::value("k"),
            ClientId::all([ClientId::path("k")]),
        ];
        for id in all {
            assert_eq!(id.to_string().parse(), Ok(id), "{id}");
        }
        assert_eq!("2001:db8:1:2:3::1".parse(), Ok(ip("2001:db8:1:2::1")));
        assert_eq!("host:K.".parse(), Ok(ClientId::host("k")));
        for address in ["::1", "[::1]", "0:0::1"] {
            assert_eq!(ClientId::host(address), ClientId::host("[::1]:80"));
            let shown = format!("host:{address}");
            assert_eq!(shown.parse(), Ok(ClientId::host("[::1]:80")), "{shown}");
        }
        let digits = "85dbe15d75ef9308c7ae0f33c7a324cc";
        for text in [
            "",
            "key",
            "key:",
            "host:",
            "host:a b",
            "ip:",
            "ip:203.0.113.7/64",
            "ip:2001:db8::/",
            "ip:2001:db8::/064",
            "ip:2001:db8::/+64",
            "ip:2001:db8::/64/64",
            "2001:db8::/64",
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

    #[test]
    fn clients_that_differ_have_hashes_that_differ() {
        use std::hash::{BuildHasher, RandomState};

        let hasher = RandomState::new();
        let clients = (0..100_u32).map(|n| ClientId::value(&n.to_string()));
        let distinct: std::collections::HashSet<u64> =
            clients.map(|client| hasher.hash_one(client)).collect();
        assert_eq!(distinct.len(), 100);
    }
}
