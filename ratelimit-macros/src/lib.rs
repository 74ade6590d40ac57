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

use proc_macro2::TokenStream;
use syn::parse::Parser;

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
    let attributes = std::iter::once(attribute).chain(further.unwrap_or_default());
    let limits: Vec<Option<RateLimit>> = attributes
        .map(|attribute| limit_of(attribute, &mut errors))
        .collect();
    let limits: Option<Vec<RateLimit>> = limits.into_iter().collect();
    if let Some(limits) = &limits {
        validate::validate_together(limits, &mut errors);
    }
    let is_right = errors.is_empty();
    match (limits, handler) {
        (Some(limits), Some(handler)) if is_right => expand::handler(&limits, &handler),
        (_, Some(handler)) => TokenStream::from_iter([errors.into_tokens(), handler.as_written()]),
        (_, None) => TokenStream::from_iter([errors.into_tokens(), item]),
    }
}

/// The limit of one attribute. What is wrong with one says nothing of another.
fn limit_of(attribute: TokenStream, errors: &mut Errors) -> Option<RateLimit> {
    let mut own_errors = Errors::default();
    let options = parse::attribute(attribute, &mut own_errors);
    let limit = validate::validate(options, &mut own_errors);
    errors.append(own_errors);
    limit
}

/// The policy's type; where something is wrong without its limit, so that not everything that uses
/// it is wrong as well.
fn declare(declaration: TokenStream) -> TokenStream {
    let declaration = match Declaration::parse.parse2(declaration) {
        Ok(declaration) => declaration,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let limit = limit_of(declaration.options.clone(), &mut errors);
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
