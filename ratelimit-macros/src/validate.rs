//! From options to limits that make sense: the rules that tie options to each other.

mod own;
mod tiers;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Path, Type};

pub(crate) use self::{
    own::OwnLimit,
    tiers::{Quota, Tier},
};
use crate::{
    errors::Errors,
    handler::Handler,
    options::{Given, OPTIONS, Options},
    parse::{Item, Name},
    value,
};

/// What the attribute asks for.
pub(crate) struct RateLimit {
    pub(crate) krate: Option<Path>,
    pub(crate) limit: Limit,
}

pub(crate) enum Limit {
    /// A limit of the handler's own.
    Own(Box<OwnLimit>),
    /// That of a policy which is declared elsewhere.
    Shared(Box<Type>),
}

/// The limit that the options describe. There may be none where one of them is wrong, which has been
/// said, and there is none where nothing is limited, which has not.
pub(crate) fn validate(items: Vec<Item>, errors: &mut Errors) -> Option<RateLimit> {
    let mut options = Options::collect(items, OPTIONS, errors);
    let krate = options.take("crate", errors, value::path);
    if let Some(policy) = options.take_type("policy", errors) {
        for other in options.names() {
            errors.at(
                other,
                format!("`{}` cannot be given beside `policy`", other.text()),
                "the policy brings it with it: leave it out, or put it into `policy! { … }`",
            );
        }
        return Some(RateLimit {
            krate: value_of(krate),
            limit: Limit::Shared(Box::new(policy.value?)),
        });
    }
    let limit = own::own_limit(options, errors)?;
    Some(RateLimit {
        krate: value_of(krate),
        limit: Limit::Own(Box::new(limit)),
    })
}

/// The rules between the limits of a handler, and with the handler itself.
pub(crate) fn validate_together(limits: &[RateLimit], handler: &Handler, errors: &mut Errors) {
    callers_have_one_identity(limits, errors);
    if errors.is_empty() {
        impl_blocks_have_shared_policies(limits, handler, errors);
    }
}

fn callers_have_one_identity(limits: &[RateLimit], errors: &mut Errors) {
    let mut first: Option<&Type> = None;
    for limit in limits {
        let Limit::Own(own) = &limit.limit else {
            continue;
        };
        let Some(identity) = &own.identity else {
            continue;
        };
        let text = |ty: &Type| ty.to_token_stream().to_string();
        match first {
            Some(other) if text(other) != text(identity) => errors.at(
                identity,
                "a handler's callers have one identity",
                format!("write `identity = {}` here as well", text(other)),
            ),
            _ => first = Some(identity),
        }
    }
}

/// A limit of a handler's own has a type beside the handler, which an `impl` block cannot hold. That
/// it stands in one is only seen where it speaks of `Self`.
fn impl_blocks_have_shared_policies(limits: &[RateLimit], handler: &Handler, errors: &mut Errors) {
    let is_shared = matches!(
        limits,
        [RateLimit {
            limit: Limit::Shared(_),
            ..
        }]
    );
    if let Some(word) = handler.self_type()
        && !is_shared
    {
        errors.at(
            word,
            "in an `impl` block a handler is limited by one shared policy",
            "declare it outside of the block, as in `policy! { Search: limit = 60 }`, and write `#[rate_limit(policy = Search)]`",
        );
    }
}

/// What makes no sense where a policy is declared.
pub(crate) fn validate_declared(limit: &RateLimit, errors: &mut Errors) {
    if let Limit::Shared(other) = &limit.limit {
        errors.at(
            other,
            "a policy is not declared by another one",
            "say what it allows, as in `limit = 60`, or use that other policy itself",
        );
    }
}

fn value_of<T>(given: Option<Given<T>>) -> Option<T> {
    given.and_then(|given| given.value)
}

fn span_of(name: &Name) -> Span {
    match name {
        Name::Word(word) => word.span(),
        Name::Text(text) => text.span(),
    }
}

/// A name as the text that the policy is given.
impl Name {
    pub(crate) fn to_literal(&self) -> TokenStream {
        syn::LitStr::new(&self.text(), span_of(self)).to_token_stream()
    }
}
