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

/// The limit that the options describe. Where one of them is wrong, that has been said, and there
/// may be none.
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

/// What several attributes of one handler must agree on.
pub(crate) fn validate_together(limits: &[RateLimit], errors: &mut Errors) {
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
