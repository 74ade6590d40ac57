//! The policies, in `static`s: what the macro could not see of them, the compiler checks there.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, ext::IdentExt, spanned::Spanned};

use super::at;
use crate::{
    validate::{Limit, OwnLimit, Quota, RateLimit, Tier},
    value::{Algorithm, Cost, Header, Key, Number, OnStoreError, Time},
};

/// Makes `source` name the limits of a function, or of a policy's type.
pub(super) fn source(
    krate: &TokenStream,
    source: &Ident,
    limits: &[RateLimit],
    name: &Ident,
) -> TokenStream {
    let variable = |n: usize| format_ident!("__RATE_LIMIT_{n}");
    let owns = limits
        .iter()
        .enumerate()
        .filter_map(|(n, limit)| match &limit.limit {
            Limit::Own(own) => {
                let variable = variable(n);
                let limit = self::limit(krate, own, &default_name(name, n));
                Some(quote!(static #variable: #krate::Limit = #limit;))
            }
            Limit::Shared(_) => None,
        });
    let all = if let [
        RateLimit {
            limit: Limit::Own(_),
            ..
        },
    ] = limits
    {
        let own = variable(0);
        quote! {
            static ALL: [&#krate::Limit; 1] = [&#own];
            &ALL
        }
    } else {
        let each = limits
            .iter()
            .enumerate()
            .map(|(n, limit)| match &limit.limit {
                Limit::Own(_) => {
                    let own = variable(n);
                    quote!(&[&#own])
                }
                Limit::Shared(policy) => quote!(<#policy as #krate::PolicySource>::limits()),
            });
        quote! {
            static ALL: #krate::__private::Lazy<#krate::__private::Limits> =
                #krate::__private::Lazy::new(|| #krate::__private::join(&[#(#each),*]));
            &ALL
        }
    };
    let identity = identity(krate, limits);
    let register = register(krate, name, source);
    // The impl is within a function because that is the one place where an `impl` block's method
    // could have it, too; that it is for a type outside is what the lint is about.
    quote! {
        #(#owns)*

        #[allow(non_local_definitions)]
        impl #krate::PolicySource for #source {
            type Identity = #identity;

            fn limits() -> &'static [&'static #krate::Limit] {
                #all
            }
        }

        #register
    }
}

/// Puts the limits of `source` on the list of all there are, for the function of this name.
pub(super) fn register(krate: &TokenStream, name: &Ident, source: impl ToTokens) -> TokenStream {
    let name = default_name(name, 0);
    quote! {
        #krate::__private::inventory::submit! {
            #krate::PolicyEntry::new(
                #name,
                ::core::file!(),
                ::core::line!(),
                ::core::column!(),
                #krate::__private::policies_of::<#source>,
            )
        }
    }
}

/// The path of the function, and a number for each further limit of it.
fn default_name(name: &Ident, n: usize) -> TokenStream {
    let name = match n {
        0 => format!("::{}", name.unraw()),
        n => format!("::{}#{}", name.unraw(), n + 1),
    };
    quote!(::core::concat!(::core::module_path!(), #name))
}

/// Who the caller is, by the first limit that says so.
fn identity(krate: &TokenStream, limits: &[RateLimit]) -> TokenStream {
    let own = limits.iter().find_map(|limit| match &limit.limit {
        Limit::Own(own) => own.identity.as_ref().map(ToTokens::to_token_stream),
        Limit::Shared(_) => None,
    });
    let shared = limits.iter().find_map(|limit| match &limit.limit {
        Limit::Shared(policy) => Some(quote!(<#policy as #krate::PolicySource>::Identity)),
        Limit::Own(_) => None,
    });
    own.or(shared).unwrap_or_else(|| quote!(#krate::NoIdentity))
}

fn limit(krate: &TokenStream, limit: &OwnLimit, default_name: &TokenStream) -> TokenStream {
    let name = limit.name.as_ref().map(ToTokens::to_token_stream);
    let name = name.as_ref().unwrap_or(default_name);
    let algorithm = match limit.algorithm {
        Algorithm::TokenBucket => quote!(TokenBucket),
        Algorithm::SlidingWindow => quote!(SlidingWindow),
        Algorithm::FixedWindow => quote!(FixedWindow),
    };
    let count = limit.tiers.len();
    let tiers = limit.tiers.iter().map(|tier| self::tier(krate, tier));
    let default_tier = limit.default_tier.iter();
    let tier_header = limit.tier_header.iter().map(|name| header(krate, name));
    let key = match (&limit.key, &limit.identity) {
        (Some(key), _) => Some(self::key(krate, key)),
        (None, Some(_)) => Some(quote!(#krate::Key::Caller)),
        (None, None) => None,
    };
    let key = key.iter();
    let exempt = limit
        .exempt
        .iter()
        .map(|function| quote_spanned!(function.span()=> .with_exempt(#function)));
    let shadow = limit.shadow.then(|| quote!(.with_shadow()));
    let strict = limit.strict.then(|| quote!(.with_strict()));
    let on_store_error = limit.on_store_error.map(|mode| match mode {
        OnStoreError::Local => quote!(.with_on_store_error(#krate::OnStoreError::Local)),
        OnStoreError::Allow => quote!(.with_on_store_error(#krate::OnStoreError::Allow)),
        OnStoreError::Deny => quote!(.with_on_store_error(#krate::OnStoreError::Deny)),
    });
    let suspect = suspect(limit);
    let there = at(suspect, krate);
    let policy = quote_spanned! {suspect=>
        #there::Policy::new(#name, #krate::Algorithm::#algorithm, &__RATE_LIMIT_TIERS)
    };
    let mut policy = quote! {
        #policy
            #(.with_default_tier(#default_tier))*
            #(.with_tier_header(#tier_header))*
            #(.with_key(#key))*
            #(#exempt)*
            #shadow
            #strict
            #on_store_error
    };
    if let Some(lease) = &limit.lease {
        let krate = at(lease.span(), krate);
        policy = quote_spanned!(lease.span()=> #krate::Policy::with_lease(#policy));
    }
    policy = match &limit.cost {
        Some(Cost::Fixed(Number { expr, .. })) => {
            let krate = at(expr.span(), krate);
            quote_spanned!(expr.span()=> #krate::Policy::with_cost(#policy, #expr))
        }
        Some(Cost::Function(function)) => {
            let with_cost = quote_spanned!(function.span()=> .with_cost_of(#function));
            quote!(#policy #with_cost)
        }
        None => policy,
    };
    if let Some(wait) = &limit.wait {
        let (span, wait) = match wait {
            Time::Literal(time, span) => (*span, micros(*time)),
            Time::Constant(expr) => (expr.span(), expr.to_token_stream()),
        };
        let krate = at(span, krate);
        policy = quote_spanned!(span=> #krate::Policy::with_wait(#policy, #wait));
    }
    let refund_if = limit
        .refund_if
        .iter()
        .map(|function| quote_spanned!(function.span()=> .with_refund_if(#function)));
    let on_limited = limit.on_limited.iter().map(|answer| {
        let krate = at(answer.span(), krate);
        quote_spanned!(answer.span()=> |exceeded| {
            let answer = #answer;
            #krate::__private::into_response(answer(exceeded))
        })
    });
    quote! {{
        static __RATE_LIMIT_TIERS: [#krate::Tier; #count] = [#(#tiers),*];
        #krate::Limit::new(#policy)
            #(#refund_if)*
            #(.with_on_limited(#on_limited))*
    }}
}

/// Where the compiler is to say that these values make no policy: at the constant that must be why,
/// where there is one alone. A literal is not, for it has been checked.
fn suspect(limit: &OwnLimit) -> Span {
    let limits = limit.tiers.iter().filter_map(|tier| {
        let Number { expr, value } = &tier.quota.as_ref()?.limit;
        let is_suspect = value.is_none() && limit.algorithm == Algorithm::SlidingWindow;
        is_suspect.then(|| expr.span())
    });
    let name = limit
        .name
        .iter()
        .filter(|name| !matches!(name, Expr::Lit(_)));
    let mut suspects = name.map(Spanned::span).chain(limits);
    match (suspects.next(), suspects.next()) {
        (Some(only), None) => only,
        _ => Span::call_site(),
    }
}

fn key(krate: &TokenStream, key: &Key) -> TokenStream {
    match key {
        Key::Caller => quote!(#krate::Key::Caller),
        Key::Ip => quote!(#krate::Key::Ip),
        Key::Global => quote!(#krate::Key::Global),
        Key::Header(name) => {
            let name = header(krate, name);
            quote!(#krate::Key::Header(#name))
        }
        Key::Host => quote!(#krate::Key::Host),
        Key::Path(name) => quote!(#krate::Key::Path(#name)),
        // If there is no such function, the compiler proposes the variable: "similar name: `host`".
        Key::Resembling(function, word) => {
            let word = Ident::new(word, Span::call_site());
            quote_spanned! {function.span()=>
                #krate::Key::Of(|parts: &#krate::__private::Parts| {
                    let #word = ();
                    let () = #word;
                    let key = #function;
                    #krate::KeyValue::into_key(key(parts))
                })
            }
        }
        Key::Function(function) => quote_spanned! {function.span()=>
            #krate::Key::Of(|parts: &#krate::__private::Parts| {
                let key = #function;
                #krate::KeyValue::into_key(key(parts))
            })
        },
        Key::All(keys) => {
            let count = keys.len();
            let keys = keys.iter().map(|key| self::key(krate, key));
            quote! {{
                static __RATE_LIMIT_KEYS: [#krate::Key; #count] = [#(#keys),*];
                #krate::Key::All(&__RATE_LIMIT_KEYS)
            }}
        }
    }
}

fn window(krate: &TokenStream, time: &Time) -> TokenStream {
    match time {
        Time::Literal(time, _) => micros(*time),
        Time::Constant(expr) => {
            let krate = at(expr.span(), krate);
            quote_spanned!(expr.span()=> #krate::__private::window(#expr))
        }
    }
}

fn micros(time: Duration) -> TokenStream {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    quote!(::core::time::Duration::from_micros(#micros))
}

fn tier(krate: &TokenStream, tier: &Tier) -> TokenStream {
    let name = tier.name.to_literal();
    let Some(quota) = &tier.quota else {
        return quote!(#krate::Tier::unlimited(#name));
    };
    let quota = self::quota(krate, quota);
    quote!(#krate::Tier::new(#name, #quota))
}

/// Each call stands where the value is that it checks, so that the compiler's error does, too.
fn quota(krate: &TokenStream, Quota { limit, per, burst }: &Quota) -> TokenStream {
    let per = window(krate, per);
    let limit = &limit.expr;
    let there = at(limit.span(), krate);
    let quota = quote_spanned!(limit.span()=> #there::Quota::new(#limit, #per));
    let Some(Number { expr: burst, .. }) = burst else {
        return quota;
    };
    let there = at(burst.span(), krate);
    quote_spanned!(burst.span()=> #there::Quota::with_burst(#quota, #burst))
}

/// A header's name that lives as long as the program.
fn header(krate: &TokenStream, header: &Header) -> TokenStream {
    match header {
        Header::Text(name) => quote! {{
            static HEADER: #krate::__private::HeaderName =
                #krate::__private::HeaderName::from_static(#name);
            &HEADER
        }},
        // Nothing here may have the name of the constant.
        Header::Constant(name) => {
            let krate = at(name.span(), krate);
            let constant = quote_spanned! {name.span()=>
                #krate::__private::header_constant(|| #name)
            };
            quote_spanned! {name.span()=> {
                const __RATE_LIMIT_LEN: usize = #constant.len(#name);
                const __RATE_LIMIT_LOWERCASE: [u8; __RATE_LIMIT_LEN] = #constant.lowercase(#name);
                static __RATE_LIMIT_HEADER: #krate::__private::HeaderName =
                    #constant.name(#name, &__RATE_LIMIT_LOWERCASE);
                &__RATE_LIMIT_HEADER
            }}
        }
    }
}
