//! The annotated function: its head is parsed, its body carried along as it is.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, FnArg, Meta, PatType, Safety, Signature, Visibility,
    parse::{ParseStream, Parser},
};

use crate::errors::Errors;

/// A handler that can be limited.
pub(crate) struct Handler {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// The block with its braces.
    pub(crate) body: TokenStream,
}

impl Handler {
    /// The function, if it is one that axum could call.
    pub(crate) fn parse(item: TokenStream, errors: &mut Errors) -> Option<Self> {
        let Ok(handler) = Self::parser.parse2(item.clone()) else {
            errors.at(
                item.into_iter().next(),
                "`#[rate_limit]` goes on a function",
                "annotate the `async fn` of a handler",
            );
            return None;
        };
        handler.check(errors);
        Some(handler)
    }

    fn parser(input: ParseStream<'_>) -> syn::Result<Self> {
        let handler = Self {
            attributes: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse()?,
        };
        // A trait's function may have none, but for a semicolon.
        if handler.body.is_empty() || handler.body.to_string() == ";" {
            return Err(input.error("a function without a body"));
        }
        Ok(handler)
    }

    /// Takes out the further `#[rate_limit]`s, which are this handler's as well, with what is in them.
    pub(crate) fn take_limits(&mut self) -> Vec<TokenStream> {
        let (limits, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.attributes)
            .into_iter()
            .partition(is_rate_limit);
        self.attributes = others;
        let options = |attribute: Attribute| match attribute.meta {
            Meta::List(list) => list.tokens,
            _ => TokenStream::new(),
        };
        limits.into_iter().map(options).collect()
    }

    /// The function with what attributes are left.
    pub(crate) fn as_written(&self) -> TokenStream {
        let Self {
            attributes,
            visibility,
            signature,
            body,
        } = self;
        quote!(#(#attributes)* #visibility #signature #body)
    }

    /// Whether it speaks of `Self`, as only a function in an `impl` block can.
    pub(crate) fn speaks_of_self(&self) -> bool {
        mentions(self.signature.to_token_stream(), "Self") || mentions(self.body.clone(), "Self")
    }

    /// The arguments; those of a function that passed the checks.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &PatType> {
        self.signature
            .inputs
            .iter()
            .filter_map(|input| match input {
                FnArg::Typed(argument) => Some(argument),
                FnArg::Receiver(_) => None,
            })
    }

    fn check(&self, errors: &mut Errors) {
        let Signature {
            constness,
            asyncness,
            safety,
            abi,
            fn_token,
            variadic,
            ..
        } = &self.signature;
        if let Some(receiver) = self.signature.receiver() {
            errors.at(
                receiver,
                "a handler has no `self`",
                "take what it needs with `State`; a function of an `impl` block is limited with `policy`",
            );
        }
        if asyncness.is_none() {
            errors.at(fn_token, "a handler is `async`", "write `async fn`");
        }
        let safety = match safety {
            Safety::Unsafe(word) => Some(word.to_token_stream()),
            _ => None,
        };
        let words = [
            constness.as_ref().map(ToTokens::to_token_stream),
            safety,
            abi.as_ref().map(ToTokens::to_token_stream),
            variadic.as_ref().map(ToTokens::to_token_stream),
        ];
        for word in words.into_iter().flatten() {
            let problem = format!("axum calls no function with `{word}`");
            errors.at(word, problem, "leave it out");
        }
        for argument in self.arguments() {
            if mentions(argument.ty.to_token_stream(), "impl") {
                errors.at(
                    &argument.ty,
                    "a handler's arguments have types that can be named",
                    "write a generic parameter, as in `async fn handler<T: …>(argument: T)`, and name it where the handler is routed",
                );
            }
        }
        // The decision is read from an argument, so there must be one whatever is configured.
        let mut arguments = self.arguments().peekable();
        if arguments.peek().is_some() && arguments.all(has_cfg) {
            errors.at(
                &self.signature.inputs,
                "every argument of this handler may be configured away",
                "leave one of them without `#[cfg]`",
            );
        }
    }
}

pub(crate) fn is_cfg(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
}

pub(crate) fn has_cfg(argument: &PatType) -> bool {
    argument.attrs.iter().any(is_cfg)
}

fn mentions(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(group.stream(), word),
        _ => false,
    })
}

fn is_rate_limit(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "rate_limit")
}
