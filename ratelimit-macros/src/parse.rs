//! The attribute's syntax: `name = value`, `name(…)` and bare names, separated by commas.
//!
//! What they mean is not known here. After a mistake it goes on behind the next comma, so that all
//! of an attribute's mistakes are found.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Error, Expr, LitStr, Token, Type,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    token::Paren,
};

use crate::errors::{Errors, message};

/// One of the attribute's options, or of a group within it.
pub(crate) struct Item {
    pub(crate) name: Name,
    pub(crate) value: Value,
}

/// What an option is called: a word, or a text where it may be any (`tiers("my-tier" = 5)`).
#[derive(Clone)]
pub(crate) enum Name {
    Word(Ident),
    Text(LitStr),
}

pub(crate) enum Value {
    /// `name`
    None,
    /// `name = value`
    Is(Expr),
    /// `name = Type`, of the options that take one.
    Type(Box<Type>),
    /// `name(…)`: what is between the parentheses, to be read by who knows what it means.
    Group(TokenStream),
}

/// `Option<User>` cannot be read as an expression, so it must be known here which are types.
const TAKES_A_TYPE: [&str; 2] = ["identity", "policy"];

impl Name {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Word(word) => word.unraw().to_string(),
            Self::Text(text) => text.value(),
        }
    }
}

impl ToTokens for Name {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Word(word) => word.to_tokens(tokens),
            Self::Text(text) => text.to_tokens(tokens),
        }
    }
}

/// Everything that could be read of an attribute.
pub(crate) fn attribute(tokens: TokenStream, errors: &mut Errors) -> Vec<Item> {
    items(tokens, &TAKES_A_TYPE, errors)
}

/// Everything that could be read of a group within an attribute.
pub(crate) fn group(tokens: TokenStream, errors: &mut Errors) -> Vec<Item> {
    items(tokens, &[], errors)
}

fn items(tokens: TokenStream, types: &[&str], errors: &mut Errors) -> Vec<Item> {
    let mut found = Vec::new();
    let parsed = (|input: ParseStream<'_>| {
        found = all(input, types, errors);
        Ok(())
    })
    .parse2(tokens);
    if let Err(error) = parsed {
        errors.push(error);
    }
    found
}

fn all(input: ParseStream<'_>, types: &[&str], errors: &mut Errors) -> Vec<Item> {
    let mut items = Vec::new();
    while !input.is_empty() {
        match item(input, types) {
            Ok(item) => items.push(item),
            Err(error) => {
                errors.push(error);
                skip_to_comma(input);
            }
        }
        if input.is_empty() {
            break;
        }
        if input.parse::<Token![,]>().is_err() {
            errors.push(input.error(message(
                "this does not belong to the option before it",
                "options are separated by commas, as in `free = 60, pro = 600`",
            )));
            // Where an option begins, only the comma was forgotten.
            if !at_name(input) {
                skip_to_comma(input);
            }
        }
    }
    items
}

fn item(input: ParseStream<'_>, types: &[&str]) -> syn::Result<Item> {
    let name = name(input)?;
    let value = if input.peek(Token![=]) {
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            let problem = format!("`{}` has no value", name.text());
            let help = "a value stands behind the `=`, as in `limit = 60`";
            return Err(Error::new_spanned(equals, message(problem, help)));
        }
        if types.contains(&name.text().as_str()) {
            Value::Type(type_of(&name, input)?)
        } else {
            Value::Is(input.parse()?)
        }
    } else if input.peek(Paren) {
        let content;
        parenthesized!(content in input);
        Value::Group(content.parse()?)
    } else if input.peek(Token![:]) {
        let problem = "an option and its value are joined by `=`";
        let help = format!("write `{} = …`", name.text());
        return Err(input.error(message(problem, help)));
    } else {
        Value::None
    };
    Ok(Item { name, value })
}

fn type_of(name: &Name, input: ParseStream<'_>) -> syn::Result<Box<Type>> {
    let begin = input.fork();
    input.parse().map_err(|_| {
        let name = name.text();
        let problem = format!("`{name}` takes a type");
        let help = format!("name it without quotes, as in `{name} = Search`");
        begin.error(message(problem, help))
    })
}

fn at_name(input: ParseStream<'_>) -> bool {
    input.peek(Ident::peek_any) || input.peek(LitStr)
}

fn name(input: ParseStream<'_>) -> syn::Result<Name> {
    if input.peek(LitStr) {
        input.parse().map(Name::Text)
    } else if input.peek(Ident::peek_any) {
        input.call(Ident::parse_any).map(Name::Word)
    } else {
        Err(input.error(message(
            "this is not an option",
            "an option begins with its name, as in `limit = 60`",
        )))
    }
}

fn skip_to_comma(input: ParseStream<'_>) {
    // A token tree can always be read where the input is not at its end.
    while !input.is_empty() && !input.peek(Token![,]) && input.parse::<TokenTree>().is_ok() {}
}
