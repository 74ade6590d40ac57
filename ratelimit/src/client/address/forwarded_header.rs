//! The header in which proxies state whom they were called by.

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};

use super::{Entry, node};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The header in which trusted proxies state the address of their client.
///
/// It is one header, not a list of candidates: a proxy that sets one of them passes on whatever the
/// client put into the others. Set it with [`Builder::forwarded_header`](crate::Builder::forwarded_header).
///
/// ```
/// use axum::http::HeaderName;
/// use ratelimit::{ForwardedHeader, RateLimiter};
///
/// let limiter = RateLimiter::builder()
///     .trusted_proxies(["10.0.0.0/8"])
///     .forwarded_header(ForwardedHeader::Address(HeaderName::from_static("x-real-ip")))
///     .build()?;
/// # Ok::<(), ratelimit::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `X-Forwarded-For: 203.0.113.7, 10.0.0.2`, as nearly every proxy writes it. Each proxy appends
    /// the address that it was called from.
    #[default]
    XForwardedFor,
    /// `Forwarded: for=203.0.113.7;proto=https, for=10.0.0.2`, as in [RFC 7239]. Each proxy appends an
    /// element.
    ///
    /// A proxy that also writes `host=` must quote and escape what it copies from the request;
    /// otherwise the client writes elements of its own, and no reader can tell them apart.
    ///
    /// [RFC 7239]: https://www.rfc-editor.org/rfc/rfc7239
    Forwarded,
    /// A header that holds one address, such as `X-Real-IP` (nginx), `CF-Connecting-IP` (Cloudflare),
    /// `True-Client-IP` (Akamai, Cloudflare) or `Fly-Client-IP` (Fly.io). The proxy replaces it.
    ///
    /// A request that has it twice, or with anything but one address, is on the safe side: it shares
    /// the bucket of the proxy.
    ///
    /// A proxy that only passes this header on, such as a load balancer behind Cloudflare, must not be
    /// reachable except through the one that sets it.
    Address(HeaderName),
}

impl ForwardedHeader {
    pub(crate) fn name(&self) -> &HeaderName {
        match self {
            Self::XForwardedFor => &X_FORWARDED_FOR,
            Self::Forwarded => &FORWARDED,
            Self::Address(name) => name,
        }
    }

    /// Returns the name of a header of the request in which a proxy has stated an address. Nearly every
    /// proxy writes one of three, those that have a header of their own as well.
    pub(crate) fn find(headers: &HeaderMap) -> Option<&'static HeaderName> {
        [&X_FORWARDED_FOR, &FORWARDED, &X_REAL_IP]
            .into_iter()
            .find(|name| headers.contains_key(*name))
    }

    /// Returns whether the name is that of a list, which is not a header with one address.
    pub(crate) fn is_list(name: &HeaderName) -> bool {
        *name == X_FORWARDED_FOR || *name == FORWARDED
    }
}

/// Returns the entries of `X-Forwarded-For`, the last first. Empty ones are none ([RFC 9110, section
/// 5.6.1]).
///
/// [RFC 9110, section 5.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Entry> {
    lines_from_the_last(headers, &X_FORWARDED_FOR)
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
        .map(node::loose)
}

/// Returns the address in a header that holds one.
pub(super) fn single(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = Entry> {
    let mut lines = lines_from_the_last(headers, name);
    let entry = match (lines.next(), lines.next()) {
        (None, _) => None,
        (Some(line), None) => Some(node::loose(line.trim_ascii())),
        (Some(_), Some(_)) => Some(Entry::Malformed),
    };
    entry.into_iter()
}

pub(super) fn lines_from_the_last<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .rev()
        .map(HeaderValue::as_bytes)
}
