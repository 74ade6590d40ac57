//! The API key as a request carries it: a claim, until a resolver knows it.

use std::fmt;

use http::HeaderValue;

/// The longest API key that is looked up, in bytes: what is kept for a key is bounded.
pub const LONGEST_API_KEY: usize = 256;

/// An API key from a request: 1 to [`LONGEST_API_KEY`] bytes that somebody sent, printable or not.
///
/// It is not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApiKey<'a>(&'a [u8]);

impl<'a> ApiKey<'a> {
    /// The key in a header's value; `None` where it is empty or longer than any key is.
    pub fn from_header(value: &'a HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes().trim_ascii();
        (1..=LONGEST_API_KEY)
            .contains(&bytes.len())
            .then_some(Self(bytes))
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
    fn it_is_not_printed() {
        let value = HeaderValue::from_static("secret");
        let key = ApiKey::from_header(&value).expect("a key");
        assert_eq!(format!("{key:?}"), "ApiKey(6 bytes)");
    }
}
