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
//!     let (responder, a) = a.into_parts();
//!     responder.respond(search(a, b.into_inner()).await).await
//! }
//! ```
//!
//! The handler keeps its shape and its number of arguments, which is what lets attributes above
//! this one, such as `#[debug_handler]`, go on as they would.
//!
//! With `policy = Search` the arguments are `RateLimited<Search, …>`, and there is no hidden type. As
//! an `impl` block can hold no type, that is how its functions are limited. Where such a function
//! speaks of `Self`, which nothing within it could, what was written stands beside it.

mod policy;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, GenericParam, Generics, PatType, ReturnType, ext::IdentExt, parse_quote,
    spanned::Spanned,
};

use crate::{
    declaration::Declaration,
    handler::{Handler, has_cfg, is_cfg},
    validate::{Limit, RateLimit},
};

/// A handler with one limit or several.
pub(crate) fn handler(limits: &[RateLimit], handler: &Handler) -> TokenStream {
    let krate = krate(limits);
    if let [
        RateLimit {
            limit: Limit::Shared(policy),
            ..
        },
    ] = limits
    {
        let register = policy::register(&krate, &handler.signature.ident, policy);
        return outer(&krate, &policy.to_token_stream(), &register, handler);
    }
    let name = handler.signature.ident.unraw();
    let source = format_ident!("__rate_limit_{name}", span = Span::call_site());
    let visibility = &handler.visibility;
    let policies = policy::source(&krate, &source, limits, &handler.signature.ident);
    let outer = outer(&krate, &source.to_token_stream(), &policies, handler);
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #visibility struct #source;

        #outer
    }
}

/// A policy of its own.
pub(crate) fn declaration(limit: &RateLimit, declaration: &Declaration) -> TokenStream {
    let limits = std::slice::from_ref(limit);
    let name = &declaration.name;
    let ty = declaration.to_type();
    let policies = policy::source(&krate(limits), name, limits, name);
    quote! {
        #ty

        const _: () = {
            #policies
        };
    }
}

fn krate(limits: &[RateLimit]) -> TokenStream {
    let renamed = limits.iter().find_map(|limit| limit.krate.as_ref());
    renamed.map_or_else(|| quote!(::ratelimit), ToTokens::to_token_stream)
}

/// The function that takes the place of the handler's, limited by `source`.
fn outer(
    krate: &TokenStream,
    source: &TokenStream,
    items: &TokenStream,
    handler: &Handler,
) -> TokenStream {
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
    let generics = parameters_of(&signature.generics);
    let where_clause = &signature.generics.where_clause;
    let (inputs, output) = (&signature.inputs, &signature.output);

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
    // All arguments carry the same decision; this one is there whatever is configured.
    let decided = arguments.iter().position(|argument| !has_cfg(argument));
    let passed = written.iter().enumerate().map(|(n, argument)| {
        let (cfg, variable) = (cfgs(argument), variable(n));
        let into_inner = (decided != Some(n)).then(|| quote!(.into_inner()));
        quote!(#(#cfg)* #variable #into_inner)
    });
    let decided = decided.map(variable);
    let extracted = if written.is_empty() {
        quote!(())
    } else {
        decided.to_token_stream()
    };
    let responder = Ident::new("responder", Span::mixed_site());
    let turbofish = turbofish(&signature.generics.params);
    // Where the answer is no response, the error points at its type. It remains code of this macro,
    // of which lints do not speak to the user.
    let span = match &signature.output {
        ReturnType::Default => Span::call_site(),
        ReturnType::Type(_, ty) => Span::call_site().located_at(ty.span()),
    };
    let speaks_of_self = handler.self_type().is_some();
    let mut inner = name.clone();
    let mut call = name.clone();
    call.set_span(span);
    let mut call = call.into_token_stream();
    if speaks_of_self {
        inner = format_ident!("__rate_limited_{}", name.unraw(), span = name.span());
        let inner = format_ident!("{inner}", span = span);
        call = quote_spanned!(span=> Self::#inner);
    }
    // Handlers are async because axum asks for it, which the lint sees of all but this one.
    let written = quote! {
        #[allow(clippy::unused_async)]
        #(#inside)*
        #asyncness #fn_token #inner #generics (#inputs) #output #where_clause #body
    };
    let (within, beside) = if speaks_of_self {
        (TokenStream::new(), quote!(#[doc(hidden)] #written))
    } else {
        (written, TokenStream::new())
    };
    let krate_there = at(span, krate);
    let answer = quote_spanned! {span=>
        #krate_there::Responder::respond(&#responder, #call #turbofish (#(#passed),*).await).await
    };

    quote! {
        #beside

        #(#outside)*
        #visibility #asyncness #fn_token #name #generics (#(#parameters),*) -> #krate::__private::Response
        #where_clause
        {
            #items

            #within

            let (#responder, #extracted) = #decided.into_parts();
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

/// The handler's generic parameters; where it has none, an empty list of them that is this macro's.
/// The compiler then does not propose that a type which is missing be a parameter, and what it says
/// of the type where it was written and in the signature here is one error.
fn parameters_of(generics: &Generics) -> TokenStream {
    if generics.params.is_empty() {
        quote!(<>)
    } else {
        generics.to_token_stream()
    }
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

/// The same path as if it stood there: an error within a call is reported from its first token on,
/// and must not begin at the attribute. Only its names stay where they are, so that the compiler
/// says once, and not once for each place, that there is no such crate.
fn at(span: Span, path: &TokenStream) -> TokenStream {
    let tokens = path.clone().into_iter();
    tokens
        .map(|mut token| {
            if let TokenTree::Punct(punct) = &mut token {
                punct.set_span(span);
            }
            token
        })
        .collect()
}
