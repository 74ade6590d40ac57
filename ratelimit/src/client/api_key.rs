//! The API key as a request carries it: a claim, until a resolver knows it.

use std::fmt;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, PROXY_AUTHORIZATION},
};

use super::field_value::FieldValue;

/// The longest API key that is looked up, in bytes: what is kept for a key is bounded.
pub const LONGEST_API_KEY: usize = 256;

/// An API key from a request: 1 to [`LONGEST_API_KEY`] bytes that somebody sent, printable or not.
///
/// It is not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiKey<'a>(&'a [u8]);

impl<'a> ApiKey<'a> {
    /// Returns the key that is a header's whole value; `None` if the value is empty or longer than
    /// [`LONGEST_API_KEY`].
    pub fn from_header(value: &'a HeaderValue) -> Option<Self> {
        Self::from_bytes(value.as_bytes().trim_ascii())
    }

    /// Returns the key in the header with this name.
    ///
    /// In `Authorization` and `Proxy-Authorization` it is the token after the scheme `Bearer`
    /// ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)), or a value that is one word. In
    /// every other header it is the whole value.
    ///
    /// Returns `None` if the header is missing, holds no key, or has several lines that differ.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
    /// use ratelimit::ApiKey;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer k-alice"));
    /// let key = ApiKey::from_headers(&headers, &AUTHORIZATION);
    /// assert_eq!(key.expect("a key").as_bytes(), b"k-alice");
    ///
    /// headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic YWxpY2U6c2VjcmV0"));
    /// assert_eq!(ApiKey::from_headers(&headers, &AUTHORIZATION), None);
    /// ```
    #[inline]
    pub fn from_headers(headers: &'a HeaderMap, name: &HeaderName) -> Option<Self> {
        Self::from_field(FieldValue::of(headers, name).one()?, name)
    }

    /// Returns the key in a value of the header with this name.
    #[inline]
    pub(crate) fn from_field(value: &'a HeaderValue, name: &HeaderName) -> Option<Self> {
        if *name == AUTHORIZATION || *name == PROXY_AUTHORIZATION {
            Self::from_bytes(bearer_token(value.as_bytes())?)
        } else {
            Self::from_header(value)
        }
    }

    fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let is_key = (1..=LONGEST_API_KEY).contains(&bytes.len());
        is_key.then_some(Self(bytes))
    }

    /// A key that was one before: its length is that of a key.
    pub(super) fn from_checked(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The key as it was sent, without white space around it.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// Returns the token of credentials, `auth-scheme 1*SP token68` in the grammar of [RFC 9110].
///
/// Credentials of another scheme, such as `Basic`, are no API key. A word without a scheme is one: some
/// services have their clients send a bare key.
///
/// [RFC 9110]: https://www.rfc-editor.org/rfc/rfc9110#section-11.4
fn bearer_token(credentials: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";

    let credentials = credentials.trim_ascii();
    let end = credentials.iter().position(|byte| b" \t".contains(byte));
    let (word, rest) = credentials.split_at(end.unwrap_or(credentials.len()));
    let is_bearer = word.eq_ignore_ascii_case(SCHEME);
    match end {
        None => (!is_bearer).then_some(word),
        // The grammar has spaces only: a tab in their place may be read otherwise by a gateway.
        Some(_) if !is_bearer || rest[0] != b' ' => None,
        Some(_) => {
            let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
            let token = &rest[spaces..];
            let is_one_word = !token.iter().any(u8::is_ascii_whitespace);
            is_one_word.then_some(token)
        }
    }
}

impl fmt::Debug for ApiKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(bytes: &[u8]) -> Option<Vec<u8>> {
        let value = HeaderValue::from_bytes(bytes).expect("a header value");
        ApiKey::from_header(&value).map(|key| key.as_bytes().to_vec())
    }

    #[test]
    fn a_key_is_what_can_be_looked_up() {
        assert_eq!(key(b"demo-pro").as_deref(), Some(&b"demo-pro"[..]));
        assert_eq!(key(b" demo-pro\t").as_deref(), Some(&b"demo-pro"[..]));
        assert_eq!(key(b"\xff\xfe").as_deref(), Some(&b"\xff\xfe"[..]));
        assert_eq!(key(b""), None);
        assert_eq!(key(b"  "), None);
        assert!(key(&[b'k'; LONGEST_API_KEY]).is_some());
        assert_eq!(key(&[b'k'; LONGEST_API_KEY + 1]), None);
        assert_eq!(key(&[b'k'; 8192]), None);
    }

    #[test]
    fn a_bearer_token_is_a_key_and_other_credentials_are_not() {
        let longest = [b"Bearer ", &[b'k'; LONGEST_API_KEY][..]].concat();
        let too_long = [b"Bearer ", &[b'k'; LONGEST_API_KEY + 1][..]].concat();
        let cases: &[(&[u8], Option<&[u8]>)] = &[
            (b"Bearer k-alice", Some(b"k-alice")),
            (b"bearer k-alice", Some(b"k-alice")),
            (b"BEARER   k-alice  ", Some(b"k-alice")),
            (b" Bearer k-alice\t", Some(b"k-alice")),
            (b"Bearer abc-._~+/==", Some(b"abc-._~+/==")),
            (b"Bearer \xff\xfe", Some(b"\xff\xfe")),
            (&longest, Some(&longest[7..])),
            (&too_long, None),
            // Without a scheme.
            (b"k-alice", Some(b"k-alice")),
            (b"Bearerk-alice", Some(b"Bearerk-alice")),
            (b"Bearer", None),
            (b"bearer ", None),
            (b"", None),
            (b"  ", None),
            (b"Bearer\tk-alice", None),
            (b"Bearer \tk-alice", None),
            (b"Bearer k-alice k-bob", None),
            (b"Bearer k-alice, Bearer k-bob", None),
            (b"Bearer Bearer k-alice", None),
            (b"Basic YWxpY2U6c2VjcmV0", None),
            (b"Basic k-alice", None),
            (b"Token k-alice", None),
            (b"Digest username=\"k-alice\"", None),
            (b"k-alice k-bob", None),
        ];
        for (value, expected) in cases {
            for name in [AUTHORIZATION, PROXY_AUTHORIZATION] {
                let value = HeaderValue::from_bytes(value).expect("a header value");
                let headers = HeaderMap::from_iter([(name.clone(), value)]);
                let key = ApiKey::from_headers(&headers, &name);
                let key = key.map(|key| key.as_bytes());
                assert_eq!(key, *expected, "{headers:?}");
            }
        }
    }

    #[test]
    fn other_headers_are_the_key_as_they_are() {
        let name = HeaderName::from_static("x-api-key");
        let value = HeaderValue::from_static("Bearer k-alice");
        let headers = HeaderMap::from_iter([(name.clone(), value)]);
        let key = ApiKey::from_headers(&headers, &name).expect("a key");
        assert_eq!(key.as_bytes(), b"Bearer k-alice");
    }

    #[test]
    fn lines_that_differ_hold_no_key() {
        for (name, prefix) in [("x-api-key", ""), ("authorization", "Bearer ")] {
            let name = HeaderName::from_static(name);
            let line = |key: &str| HeaderValue::from_str(&format!("{prefix}{key}"));
            let mut headers = HeaderMap::new();
            for (key, expected) in [("a", Some(&b"a"[..])), ("a", Some(b"a")), ("b", None)] {
                headers.append(&name, line(key).expect("a header value"));
                let key = ApiKey::from_headers(&headers, &name);
                assert_eq!(key.map(|key| key.as_bytes()), expected, "{headers:?}");
            }
        }
    }

    #[test]
    fn it_is_not_printed() {
        let value = HeaderValue::from_static("secret");
        let key = ApiKey::from_header(&value).expect("a key");
        assert_eq!(format!("{key:?}"), "ApiKey(6 bytes)");
    }
}
