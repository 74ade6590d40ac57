//! The value of a header that a request should have once.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The value of a header field that has one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValue<'a> {
    Missing,
    One(&'a HeaderValue),
    /// The field has several lines, and they differ.
    ///
    /// The sender of each line is unknown: one may be the client's, and another may be that of a
    /// gateway which appends its own. Proxies and applications disagree on which of them they read
    /// ([RFC 9110, section 5.3](https://www.rfc-editor.org/rfc/rfc9110#section-5.3) forbids them for
    /// such a field), so that none is used.
    Ambiguous,
}

impl<'a> FieldValue<'a> {
    /// Reads a field. Lines that are all alike are one value.
    #[inline]
    pub(crate) fn of(headers: &'a HeaderMap, name: &HeaderName) -> Self {
        let mut lines = headers.get_all(name).iter();
        let Some(first) = lines.next() else {
            return Self::Missing;
        };
        if lines.all(|line| line == first) {
            Self::One(first)
        } else {
            Self::Ambiguous
        }
    }

    /// Returns the value, unless it is missing or ambiguous.
    #[inline]
    pub(crate) fn one(self) -> Option<&'a HeaderValue> {
        match self {
            Self::One(value) => Some(value),
            Self::Missing | Self::Ambiguous => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_have_no_value() {
        let name = HeaderName::from_static("x-tenant");
        let value = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            headers.insert("x-other", HeaderValue::from_static("z"));
            for line in lines {
                headers.append(&name, HeaderValue::from_static(line));
            }
            match FieldValue::of(&headers, &name) {
                FieldValue::Missing => "missing".to_owned(),
                FieldValue::One(value) => value.to_str().expect("text").to_owned(),
                FieldValue::Ambiguous => "ambiguous".to_owned(),
            }
        };
        assert_eq!(value(&[]), "missing");
        assert_eq!(value(&["a"]), "a");
        assert_eq!(value(&["a", "a", "a"]), "a");
        for lines in [
            &["a", "b"][..],
            &["b", "a"],
            &["a", ""],
            &["", "a"],
            &["a", "A"],
            &["a", "a", "b"],
        ] {
            assert_eq!(value(lines), "ambiguous", "{lines:?}");
        }
    }
}
