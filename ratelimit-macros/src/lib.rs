//! The `#[rate_limit(…)]` attribute of the crate `ratelimit`, which re-exports and documents it.
//!
//! Parse (`parse`, `handler`) → validate (`options`, `value`, `validate`) → expand (`expand`).
//! Whatever is wrong is gathered on the way (`errors`) and reported at once.

mod declaration;
mod errors;
mod expand;
mod handler;
mod options;
mod parse;
mod validate;
mod value;

use proc_macro2::{Span, TokenStream};
use syn::{Error, parse::Parser};

use self::{declaration::Declaration, errors::Errors, handler::Handler, validate::RateLimit};

/// The attribute comes from the crate `ratelimit-macros`, which is not used by itself.
#[proc_macro_attribute]
pub fn rate_limit(
    attribute: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    limit(attribute.into(), item.into()).into()
}

/// The macro comes from the crate `ratelimit-macros`, which is not used by itself.
#[proc_macro]
pub fn policy(declaration: proc_macro::TokenStream) -> proc_macro::TokenStream {
    declare(declaration.into()).into()
}

/// The handler with its limits; or, where something is wrong, the handler as it was written beside
/// the errors, so that the rest of the file is still understood by the compiler and the editor.
fn limit(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let mut handler = Handler::parse(item.clone(), &mut errors);
    let further = handler.as_mut().map(Handler::take_limits);
    let attributes = std::iter::once((Span::call_site(), attribute));
    let limits: Vec<Option<RateLimit>> = attributes
        .chain(further.unwrap_or_default())
        .map(|(at, attribute)| limit_of(attribute, || limits_nothing(at), &mut errors))
        .collect();
    let limits: Option<Vec<RateLimit>> = limits.into_iter().collect();
    if let (Some(limits), Some(handler)) = (&limits, &handler) {
        validate::validate_together(limits, handler, &mut errors);
    }
    let is_right = errors.is_empty();
    match (limits, handler) {
        (Some(limits), Some(handler)) if is_right => expand::handler(&limits, &handler),
        (_, Some(handler)) => TokenStream::from_iter([errors.into_tokens(), handler.as_written()]),
        (_, None) => TokenStream::from_iter([errors.into_tokens(), item]),
    }
}

/// The limit of one attribute. What is wrong with one says nothing of another.
fn limit_of(
    attribute: TokenStream,
    limits_nothing: impl FnOnce() -> Error,
    errors: &mut Errors,
) -> Option<RateLimit> {
    let mut own_errors = Errors::default();
    let options = parse::items(attribute, &parse::ATTRIBUTE, &mut own_errors);
    let limit = validate::validate(options, &mut own_errors);
    if limit.is_none() && own_errors.is_empty() {
        own_errors.push(limits_nothing());
    }
    errors.append(own_errors);
    limit
}

/// That an attribute allows everything.
fn limits_nothing(at: Span) -> Error {
    let help = "say how much is allowed, as in `#[rate_limit(limit = 60)]` or `#[rate_limit(tier_header = \"X-API-Key\", free = 60, pro = 600)]`";
    Error::new(at, errors::message("this limits nothing", help))
}

/// The policy's type; where something is wrong without its limit, so that not everything that uses
/// it is wrong as well.
fn declare(declaration: TokenStream) -> TokenStream {
    let declaration = match Declaration::parse.parse2(declaration) {
        Ok(declaration) => declaration,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let options = declaration.options.clone();
    let limit = limit_of(options, || declaration.limits_nothing(), &mut errors);
    if let Some(limit) = &limit {
        validate::validate_declared(limit, &mut errors);
    }
    match limit {
        Some(limit) if errors.is_empty() => expand::declaration(&limit, &declaration),
        _ => TokenStream::from_iter([errors.into_tokens(), declaration.to_type()]),
    }
}

#[cfg(test)]
mod tests;
