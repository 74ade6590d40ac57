//! A header's name by a constant of the application's: a `&str` in whatever case, or a [`HeaderName`].
//!
//! What the macro emits must be a constant for both types, and it does not know which one it is. As
//! traits have no `const` functions, each type has functions of its own on a [`HeaderConstant`].

use std::marker::PhantomData;

use http::HeaderName;

/// A type of constants that name a header.
#[diagnostic::on_unimplemented(
    message = "a constant of the type `{Self}` is not the name of a header",
    label = "neither a `&str` nor a `HeaderName`",
    note = "name a constant `&str` or `HeaderName`, or write the header's name as a text"
)]
pub trait HeaderNameType {}

impl HeaderNameType for &'static str {}

impl HeaderNameType for HeaderName {}

/// Stands for the type of a constant.
#[derive(Debug)]
pub struct HeaderConstant<T>(PhantomData<fn() -> T>);

/// Finds the type of a constant, `|| NAME`.
pub const fn header_constant<T: HeaderNameType>(_: fn() -> T) -> HeaderConstant<T> {
    HeaderConstant(PhantomData)
}

impl HeaderConstant<&'static str> {
    pub const fn len(self, name: &'static str) -> usize {
        let Self(PhantomData) = self;
        name.len()
    }

    /// # Panics
    ///
    /// Panics if no header has this name.
    #[track_caller]
    pub const fn lowercase<const LEN: usize>(self, name: &'static str) -> [u8; LEN] {
        let Self(PhantomData) = self;
        assert!(!name.is_empty(), "ratelimit: the name of a header is empty");
        let mut lowercase = [0; LEN];
        let mut i = 0;
        while i < LEN {
            let byte = name.as_bytes()[i];
            assert!(
                is_token(byte),
                "ratelimit: no header has this name: a name has letters, digits and hyphens"
            );
            lowercase[i] = byte.to_ascii_lowercase();
            i += 1;
        }
        lowercase
    }

    pub const fn name(self, _: &'static str, lowercase: &'static [u8]) -> HeaderName {
        let Self(PhantomData) = self;
        match str::from_utf8(lowercase) {
            Ok(name) => HeaderName::from_static(name),
            Err(_) => panic!("letters, digits and hyphens are text"),
        }
    }
}

impl HeaderConstant<HeaderName> {
    pub const fn len(self, name: HeaderName) -> usize {
        let Self(PhantomData) = self;
        // A constant function cannot drop it.
        std::mem::forget(name);
        0
    }

    pub const fn lowercase<const LEN: usize>(self, name: HeaderName) -> [u8; LEN] {
        let Self(PhantomData) = self;
        std::mem::forget(name);
        [0; LEN]
    }

    pub const fn name(self, name: HeaderName, _: &'static [u8]) -> HeaderName {
        let Self(PhantomData) = self;
        name
    }
}

/// A byte of a token: <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2>
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
