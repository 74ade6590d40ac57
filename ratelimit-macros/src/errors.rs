//! All that is wrong with one attribute, reported together.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Error;

/// Gathers errors until the end.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn append(&mut self, others: Self) {
        if let Some(others) = others.0 {
            self.push(others);
        }
    }

    /// Says at these tokens what is wrong with them, and how to mend it.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, problem: impl Display, help: impl Display) {
        self.push(Error::new_spanned(tokens, message(problem, help)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The errors as code that does not compile; nothing where there are none.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.map(Error::into_compile_error).unwrap_or_default()
    }
}

/// Only nightly can attach a help to an error, so it is a line of the message that looks like one.
pub(crate) fn message(problem: impl Display, help: impl Display) -> String {
    format!("{problem}\n  = help: {help}")
}
