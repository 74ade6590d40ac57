//! The policy, in a `static`: what the macro could not see of it, the compiler checks there.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ext::IdentExt, spanned::Spanned};

use super::at;
use crate::{
    validate::{Quota, RateLimit, Tier},
    value::{Algorithm, Header, Key, Number, Time},
};

/// Makes `source` name the policy.
pub(super) fn source(
    krate: &TokenStream,
    source: &Ident,
    limit: &RateLimit,
    function: &Ident,
) -> TokenStream {
    let name = if let Some(name) = &limit.name {
        name.to_token_stream()
    } else {
        let function = format!("::{}", function.unraw());
        quote!(::core::concat!(::core::module_path!(), #function))
    };
    let algorithm = match limit.algorithm {
        Algorithm::TokenBucket => quote!(TokenBucket),
        Algorithm::SlidingWindow => quote!(SlidingWindow),
        Algorithm::FixedWindow => quote!(FixedWindow),
    };
    let count = limit.tiers.len();
    let tiers = limit.tiers.iter().map(|tier| self::tier(krate, tier));
    let default_tier = limit.default_tier.iter();
    let tier_header = limit.tier_header.iter().map(|name| header(krate, name));
    let key = limit.key.iter().map(|key| match key {
        Key::Ip => quote!(#krate::Key::Ip),
        Key::Global => quote!(#krate::Key::Global),
        Key::Header(name) => {
            let name = header(krate, name);
            quote!(#krate::Key::Header(#name))
        }
    });
    let mut policy = quote! {
        #krate::Policy::new(#name, #krate::Algorithm::#algorithm, &__RATE_LIMIT_TIERS)
            #(.with_default_tier(#default_tier))*
            #(.with_tier_header(#tier_header))*
            #(.with_key(#key))*
    };
    if let Some(Number { expr: cost, .. }) = &limit.cost {
        let krate = at(cost.span(), krate);
        policy = quote_spanned!(cost.span()=> #krate::Policy::with_cost(#policy, #cost));
    }
    // The impl is within the function because that is the one place where an `impl` block's method
    // could have it, too; that it is for a type outside is what the lint is about.
    quote! {
        #[allow(non_local_definitions)]
        impl #krate::PolicySource for #source {
            fn policy() -> &'static #krate::Policy {
                static __RATE_LIMIT_TIERS: [#krate::Tier; #count] = [#(#tiers),*];
                static __RATE_LIMIT_POLICY: #krate::Policy = #policy;
                &__RATE_LIMIT_POLICY
            }
        }
    }
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
    let per = match per {
        Time::Literal(time) => {
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            quote!(::core::time::Duration::from_micros(#micros))
        }
        Time::Constant(expr) => {
            let krate = at(expr.span(), krate);
            quote_spanned!(expr.span()=> #krate::__private::window(#expr))
        }
    };
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
fn header(krate: &TokenStream, Header(name): &Header) -> TokenStream {
    quote! {{
        static HEADER: #krate::__private::HeaderName =
            #krate::__private::HeaderName::from_static(#name);
        &HEADER
    }}
}
