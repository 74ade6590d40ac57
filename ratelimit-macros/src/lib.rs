//! The `#[rate_limit(…)]` attribute of the crate `ratelimit`, which re-exports and documents it.
//!
//! Parse (`parse`, `handler`) → validate (`options`, `value`, `validate`) → expand (`expand`).
//! Whatever is wrong is gathered on the way (`errors`) and reported at once.

mod duration;
mod errors;
mod expand;
mod handler;
mod options;
mod parse;
mod validate;
mod value;

use proc_macro2::TokenStream;

use self::{errors::Errors, handler::Handler};

/// The attribute comes from the crate `ratelimit-macros`, which is not used by itself.
#[proc_macro_attribute]
pub fn rate_limit(
    attribute: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    limit(attribute.into(), item.into()).into()
}

/// The handler with its limit; or, where something is wrong, the handler as it was written beside
/// the errors, so that the rest of the file is still understood by the compiler and the editor.
fn limit(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = parse::items(attribute, &mut errors);
    let limit = validate::validate(options, &mut errors);
    let handler = Handler::parse(item.clone(), &mut errors);
    let errors = errors.into_tokens();
    match (limit, handler) {
        (Some(limit), Some(handler)) if errors.is_empty() => expand::expand(&limit, &handler),
        _ => TokenStream::from_iter([errors, item]),
    }
}
