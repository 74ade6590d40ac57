//! `policy! { pub Search: free = 60, pro = 600 }`: a policy's type, and the options of an attribute.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Error, Token, Visibility, parse::ParseStream};

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
        const HELP: &str = "write `policy! { pub Search: limit = 60 }`";
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let name: Ident = input
            .parse()
            .map_err(|error| Error::new(error.span(), message("a policy needs a name", HELP)))?;
        if input.parse::<Token![:]>().is_err() {
            let problem = "behind a policy's name come a colon and what is allowed";
            return Err(Error::new_spanned(name, message(problem, HELP)));
        }
        Ok(Self {
            attributes,
            visibility,
            name,
            options: input.parse()?,
        })
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
