//! What shares a bucket.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderName, request::Parts};

/// What requests have in common that share a bucket.
///
/// Where a request lacks what its key asks for, it is known by the client's IP address instead.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Key {
    /// The API key or the identity, where it is known; the client's IP address for everybody else.
    ///
    /// A key that the tier resolver does not know is only a claim: were it to get a bucket of its
    /// own, a fresh random key per request would be a way around every limit.
    Caller,
    /// The client's IP address: the socket's peer, or the address that a trusted proxy states. IPv6
    /// clients share a bucket by /64, the least that a subscriber is given, or by the limiter's
    /// [`ipv6_prefix`](crate::Builder::ipv6_prefix).
    Ip,
    /// One bucket for everybody on the same tier.
    Global,
    /// The value of a header.
    ///
    /// Only for headers that the client cannot choose, because a gateway sets them. A request that has
    /// the header several times with different values is keyed by the IP address: one of them may be
    /// the client's, next to the gateway's.
    Header(&'static HeaderName),
    /// The host that the request names: `:authority` in HTTP/2, the authority of an absolute target,
    /// else `Host`. Without its port and a dot at its end, in lower case.
    ///
    /// A client that chooses its host chooses its bucket. So only hosts are believed that the limiter
    /// lists with [`Builder::hosts`](crate::Builder::hosts), or all after
    /// [`Builder::any_host`](crate::Builder::any_host).
    Host,
    /// A parameter of the matched route, percent-decoded: `id` of `/users/{id}`.
    ///
    /// A client that chooses the parameter chooses the bucket, so it mostly goes together with
    /// something else.
    Path(&'static str),
    /// What a function finds in the request; see [`KeyValue`].
    Of(fn(&Parts) -> Option<String>),
    /// All of these together: "each IP address, for each user's page".
    All(&'static [Key]),
}

impl Key {
    /// Whether the route's parameters are needed.
    #[inline]
    pub(crate) fn needs_path(self) -> bool {
        match self {
            Self::Path(_) => true,
            Self::All(keys) => keys.iter().any(|key| key.needs_path()),
            _ => false,
        }
    }

    /// Returns whether these are all parameters of the route that are needed.
    pub(crate) fn has_parameters(self, path: &[(String, String)]) -> bool {
        match self {
            Self::Path(name) => path.iter().any(|(known, _)| known == name),
            Self::All(keys) => keys.iter().all(|key| key.has_parameters(path)),
            _ => true,
        }
    }

    /// Returns whether the client depends on the host that the request names.
    pub(crate) fn needs_host(self) -> bool {
        match self {
            Self::Host => true,
            Self::All(keys) => keys.iter().any(|key| key.needs_host()),
            _ => false,
        }
    }

    /// Returns whether the client depends on who the caller is.
    pub(crate) fn needs_caller(self) -> bool {
        match self {
            Self::Caller => true,
            Self::All(keys) => keys.iter().any(|key| key.needs_caller()),
            _ => false,
        }
    }
}

/// What a function in `#[rate_limit(key = …)]` may return: a text, a number, an address, or an
/// `Option` of one of them, where `None` means that the client is known by its IP address.
///
/// ```
/// use axum::http::request::Parts;
/// use ratelimit::rate_limit;
///
/// // As in `Language: de-CH`, which a gateway sets: only the language of it.
/// fn language(parts: &Parts) -> Option<&str> {
///     parts.headers.get("language")?.to_str().ok()?.split('-').next()
/// }
///
/// #[rate_limit(limit = 60, key = language)]
/// async fn page() {}
/// ```
///
/// For the host that a request names there is [`Key::Host`]: over HTTP/1.1 it is not in the request's
/// `uri`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell clients apart",
    label = "the key's function returns this",
    note = "return a `&str`, `String`, number or `IpAddr`, or an `Option` of one"
)]
pub trait KeyValue {
    /// The value as a text.
    fn into_key(self) -> Option<String>;
}

impl<T: KeyValue> KeyValue for Option<T> {
    fn into_key(self) -> Option<String> {
        self.and_then(T::into_key)
    }
}

macro_rules! key_values {
    ($($value:ty),+) => {
        $(impl KeyValue for $value {
            fn into_key(self) -> Option<String> {
                Some(self.to_string())
            }
        })+
    };
}

key_values!(
    &str,
    String,
    Cow<'_, str>,
    IpAddr,
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize
);
