//! The code that a limited handler becomes.
//!
//! ```text
//! pub struct __rate_limit_search;
//!
//! pub async fn search(
//!     a: RateLimited<__rate_limit_search, State<Db>>,
//!     b: RateLimited<__rate_limit_search, Query<Search>>,
//! ) -> Response {
//!     impl PolicySource for __rate_limit_search { … }
//!     async fn search(State(db): State<Db>, Query(q): Query<Search>) -> … { … }  // as it was written
//!     let status = a.status();
//!     status.respond(search(a.into_inner(), b.into_inner()).await)
//! }
//! ```
//!
//! The handler keeps its shape and its number of arguments, which is what lets attributes above
//! this one, such as `#[debug_handler]`, go on as they would.

mod policy;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, GenericParam, PatType, ReturnType, ext::IdentExt, parse_quote, spanned::Spanned,
};

use crate::{
    handler::{Handler, has_cfg, is_cfg},
    validate::RateLimit,
};

pub(crate) fn expand(limit: &RateLimit, handler: &Handler) -> TokenStream {
    let krate = limit
        .krate
        .as_ref()
        .map_or_else(|| quote!(::ratelimit), ToTokens::to_token_stream);
    let source = format_ident!(
        "__rate_limit_{}",
        handler.signature.ident.unraw(),
        span = Span::call_site()
    );
    let visibility = &handler.visibility;
    let outer = outer(&krate, &source, limit, handler);
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility struct #source;

        #outer
    }
}

/// The function that takes the place of the handler's.
fn outer(krate: &TokenStream, source: &Ident, limit: &RateLimit, handler: &Handler) -> TokenStream {
    let Handler {
        attributes,
        visibility,
        signature,
        body,
    } = handler;
    let (outside, inside): (Vec<_>, Vec<_>) = attributes.iter().partition(|a| goes_outside(a));
    let name = &signature.ident;
    let asyncness = &signature.asyncness;
    let fn_token = &signature.fn_token;
    let generics = &signature.generics;
    let where_clause = &generics.where_clause;

    // axum can hand over nothing but RateLimited arguments, so a handler that has none gets one.
    let unit = [parse_quote!(_: ())];
    let written: Vec<&PatType> = handler.arguments().collect();
    let arguments = if written.is_empty() {
        unit.iter().collect()
    } else {
        written.clone()
    };
    let variable = |n: usize| format_ident!("argument_{n}", span = Span::mixed_site());
    let parameters = arguments.iter().enumerate().map(|(n, argument)| {
        let (cfg, variable, ty) = (cfgs(argument), variable(n), &argument.ty);
        quote!(#(#cfg)* #variable: #krate::RateLimited<#source, #ty>)
    });
    let passed = written.iter().enumerate().map(|(n, argument)| {
        let (cfg, variable) = (cfgs(argument), variable(n));
        quote!(#(#cfg)* #variable.into_inner())
    });
    // All arguments carry the same decision; this one is there whatever is configured.
    let decided = arguments
        .iter()
        .position(|argument| !has_cfg(argument))
        .map(variable);
    let status = Ident::new("status", Span::mixed_site());
    let turbofish = turbofish(&generics.params);
    let policy = policy::source(krate, source, limit, name);
    // Where the answer is no response, the error points at its type. It remains code of this macro,
    // of which lints do not speak to the user.
    let span = match &signature.output {
        ReturnType::Default => Span::call_site(),
        ReturnType::Type(_, ty) => Span::call_site().located_at(ty.span()),
    };
    let mut call = name.clone();
    call.set_span(span);
    let krate_there = at(span, krate);
    let answer = quote_spanned! {span=>
        #krate_there::RateLimitStatus::respond(&#status, #call #turbofish (#(#passed),*).await)
    };

    quote! {
        #(#outside)*
        #visibility #asyncness #fn_token #name #generics (#(#parameters),*) -> #krate::__private::Response
        #where_clause
        {
            #policy

            // Handlers are async because axum asks for it, which the lint sees of all but this one.
            #[allow(clippy::unused_async)]
            #(#inside)*
            #signature #body

            let #status = #decided.status();
            #answer
        }
    }
}

/// Attributes about the item as others see it, and lints, which hold for what is within it as well.
/// All others are about the code, and stay with it. (The compiler has already seen to `cfg`s.)
fn goes_outside(attribute: &Attribute) -> bool {
    [
        "doc",
        "deprecated",
        "must_use",
        "allow",
        "expect",
        "warn",
        "deny",
        "forbid",
    ]
    .iter()
    .any(|name| attribute.path().is_ident(name))
}

fn cfgs(argument: &PatType) -> impl Iterator<Item = &Attribute> {
    argument.attrs.iter().filter(|attribute| is_cfg(attribute))
}

/// The handler's generic arguments, which the compiler could not infer where no argument has them.
fn turbofish<'a>(params: impl IntoIterator<Item = &'a GenericParam>) -> Option<TokenStream> {
    let arguments: Vec<&Ident> = params
        .into_iter()
        .filter_map(|param| match param {
            GenericParam::Type(ty) => Some(&ty.ident),
            GenericParam::Const(constant) => Some(&constant.ident),
            // Inferred always, and often not allowed to be named.
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    (!arguments.is_empty()).then(|| quote!(::<#(#arguments),*>))
}

/// The same tokens as if they stood there: an error within a call is reported from its first token
/// on, and must not begin at the attribute.
fn at(span: Span, tokens: &TokenStream) -> TokenStream {
    let tokens = tokens.clone().into_iter();
    tokens
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}
