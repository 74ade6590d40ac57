//! The annotated function: its head is parsed, its body carried along as it is.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, FnArg, Meta, PatType, Safety, Signature, Visibility,
    parse::{ParseStream, Parser},
    spanned::Spanned,
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

    /// Takes out the further `#[rate_limit]`s, which are this handler's as well: where they stand, and
    /// what is in them.
    pub(crate) fn take_limits(&mut self) -> Vec<(Span, TokenStream)> {
        let (limits, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.attributes)
            .into_iter()
            .partition(is_rate_limit);
        self.attributes = others;
        let options = |attribute: Attribute| match attribute.meta {
            Meta::List(list) => (list.path.span(), list.tokens),
            other => (other.span(), TokenStream::new()),
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

    /// Where it speaks of `Self`, as only a function in an `impl` block can.
    pub(crate) fn self_type(&self) -> Option<Ident> {
        let in_signature = find(self.signature.to_token_stream(), "Self");
        in_signature.or_else(|| find_self(self.body.clone()))
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
                "take what it needs with `State`; in an `impl` block, leave `self` out and write `#[rate_limit(policy = Search)]`",
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
            if find(argument.ty.to_token_stream(), "impl").is_some() {
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

fn find(tokens: TokenStream, word: &str) -> Option<Ident> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) => (ident == word).then_some(ident),
        TokenTree::Group(group) => find(group.stream(), word),
        _ => None,
    })
}

/// Where a body says `Self`, but for the types, traits and `impl` blocks within it, each of which has
/// a `Self` of its own.
fn find_self(body: TokenStream) -> Option<Ident> {
    let mut is_item = false;
    body.into_iter().find_map(|token| match token {
        TokenTree::Group(group) if is_item => {
            is_item = group.delimiter() != Delimiter::Brace;
            None
        }
        TokenTree::Group(group) => find_self(group.stream()),
        TokenTree::Ident(word) if word == "Self" && !is_item => Some(word),
        TokenTree::Ident(word) => {
            let items = ["impl", "trait", "struct", "enum"];
            is_item |= items.iter().any(|item| word == item);
            None
        }
        TokenTree::Punct(punct) => {
            is_item &= punct.as_char() != ';';
            None
        }
        TokenTree::Literal(_) => None,
    })
}

fn is_rate_limit(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "rate_limit")
}
