//! `policy! { pub Search: free = 60, pro = 600 }`: a policy's type, and the options of an attribute.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Error, Token, Visibility, parse::ParseStream, token::Paren};

use crate::errors::message;

pub(crate) struct Declaration {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    /// What stands behind the colon.
    pub(crate) options: TokenStream,
}

impl Declaration {
    pub(crate) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let name: Ident = input.parse().map_err(|error| {
            let help = "write `policy! { pub Search: limit = 60 }`";
            Error::new(error.span(), message("a policy needs a name", help))
        })?;
        // An option where the name would be.
        if input.peek(Token![=]) || input.peek(Token![,]) || input.peek(Paren) {
            let rest: TokenStream = input.parse()?;
            let options = quote!(#name #rest);
            let help = format!("write it before them: `policy! {{ pub Search: {options} }}`");
            return Err(Error::new_spanned(
                name,
                message("a policy needs a name", help),
            ));
        }
        if input.parse::<Token![:]>().is_err() {
            let rest: TokenStream = input.parse()?;
            let options = match rest.to_string() {
                none if none.is_empty() => ALLOWED.to_owned(),
                options => options,
            };
            let help = format!("write `{}`", as_written(&visibility, &name, &options));
            let problem = "behind a policy's name come a colon and what is allowed";
            return Err(Error::new_spanned(name, message(problem, help)));
        }
        Ok(Self {
            attributes,
            visibility,
            name,
            options: input.parse()?,
        })
    }

    /// That the options allow everything.
    pub(crate) fn limits_nothing(&self) -> Error {
        let options = match self.options.to_string() {
            none if none.is_empty() => ALLOWED.to_owned(),
            others => format!("{ALLOWED}, {others}"),
        };
        let written = as_written(&self.visibility, &self.name, &options);
        let help = format!("say how much is allowed, as in `{written}`");
        Error::new_spanned(&self.name, message("this policy limits nothing", help))
    }

    /// The type alone.
    pub(crate) fn to_type(&self) -> TokenStream {
        let Self {
            attributes,
            visibility,
            name,
            ..
        } = self;
        quote! {
            #(#attributes)*
            #visibility struct #name;
        }
    }
}

/// What a policy may allow, for the errors.
const ALLOWED: &str = "limit = 60";

/// A declaration as it should have been written.
fn as_written(visibility: &Visibility, name: &Ident, options: &str) -> String {
    let visibility = match visibility {
        Visibility::Inherited => String::new(),
        other => format!("{} ", other.to_token_stream()),
    };
    format!("policy! {{ {visibility}{name}: {options} }}")
}
