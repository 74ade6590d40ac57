//! The attribute's syntax: `name = value`, `name(…)` and bare names, separated by commas.
//!
//! What they mean is not known here. After a mistake it goes on behind the next comma, so that all
//! of an attribute's mistakes are found.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Error, Expr, LitInt, LitStr, Token, Type,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    token::{Brace, Bracket, Paren},
};

use crate::{
    errors::{Errors, message},
    options::{example, with_value},
    value,
};

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

/// Where items stand.
pub(crate) struct Place {
    /// `Option<User>` cannot be read as an expression, so it must be known here which are types.
    types: &'static [&'static str],
    /// What an item is, and what one may be called, for the errors.
    what: &'static str,
    example: &'static str,
}

pub(crate) const ATTRIBUTE: Place = Place {
    types: &["identity", "policy"],
    what: "an option",
    example: "limit",
};

/// `pro(…)`
pub(crate) const TIER: Place = Place {
    types: &[],
    ..ATTRIBUTE
};

/// `tiers(…)`
pub(crate) const TIERS: Place = Place {
    types: &[],
    what: "a tier",
    example: "gold",
};

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

/// Everything that could be read of what stands there.
pub(crate) fn items(tokens: TokenStream, place: &Place, errors: &mut Errors) -> Vec<Item> {
    let mut found = Vec::new();
    let parsed = (|input: ParseStream<'_>| {
        found = all(input, place, errors);
        Ok(())
    })
    .parse2(tokens);
    if let Err(error) = parsed {
        errors.push(error);
    }
    found
}

fn all(input: ParseStream<'_>, place: &Place, errors: &mut Errors) -> Vec<Item> {
    let mut items = Vec::new();
    while !input.is_empty() {
        match item(input, place) {
            Ok(item) => items.push(item),
            Err(error) => {
                errors.push(error);
                up_to_comma(input);
            }
        }
        if input.is_empty() {
            break;
        }
        if let Some(Item {
            name,
            value: Value::Is(value),
        }) = items.last()
            && at_word(input, "per")
        {
            let rest = up_to_comma(input);
            let written = format!("{} {rest}", value.to_token_stream());
            let window = value::rate(&written).map(|(_, window)| window);
            let help = value::of_rate(
                &name.to_token_stream().to_string(),
                &value.to_token_stream().to_string(),
                window.as_deref().unwrap_or("1m"),
            );
            errors.at(rest, "the window is an option of its own", help);
        }
        if !input.is_empty() && input.parse::<Token![,]>().is_err() {
            errors.push(input.error(message(
                "this does not belong to the option before it",
                "options are separated by commas, as in `free = 60, pro = 600`",
            )));
            // Where an option begins, only the comma was forgotten.
            if !at_name(input) {
                up_to_comma(input);
            }
        }
    }
    items
}

fn item(input: ParseStream<'_>, place: &Place) -> syn::Result<Item> {
    let name = name(input, place)?;
    let value = if input.peek(Token![=]) {
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            let problem = format!("`{}` has no value", name.text());
            let help = format!(
                "a value stands behind the `=`, as in `{}`",
                example(&name.text())
            );
            return Err(Error::new_spanned(equals, message(problem, help)));
        }
        if place.types.contains(&name.text().as_str()) {
            Value::Type(type_of(&name, input)?)
        } else {
            Value::Is(expression_of(&name, input)?)
        }
    } else if input.peek(Paren) {
        let content;
        parenthesized!(content in input);
        Value::Group(content.parse()?)
    } else if input.peek(Brace) || input.peek(Bracket) {
        let group: Group = input.parse()?;
        let help = format!("write `{}`", with_value(&name.text(), &group.stream()));
        let problem = "an option has neither braces nor brackets";
        return Err(Error::new_spanned(group, message(problem, help)));
    } else if input.peek(Token![::]) {
        let rest = up_to_comma(input);
        let value = quote! { #name #rest };
        let window = syn::parse2(value.clone()).ok();
        let help = match window.as_ref().and_then(value::window_in) {
            Some((limit, window)) => value::of_rate("limit", &limit, &window),
            None => format!(
                "an option begins with its name, as in `{}`",
                example("limit")
            ),
        };
        return Err(Error::new_spanned(
            value,
            message("this is not an option", help),
        ));
    } else if input.peek(Token![:]) {
        let colon: Token![:] = input.parse()?;
        let help = format!("write `{}`", with_value(&name.text(), &up_to_comma(input)));
        let problem = "an option and its value are joined by `=`";
        return Err(Error::new_spanned(colon, message(problem, help)));
    } else {
        Value::None
    };
    Ok(Item { name, value })
}

fn type_of(name: &Name, input: ParseStream<'_>) -> syn::Result<Box<Type>> {
    let begin = input.fork();
    input.parse().map_err(|_| {
        let name = name.text();
        let quoted: Option<LitStr> = begin.fork().parse().ok();
        let help = match quoted.filter(|text| text.parse::<Type>().is_ok()) {
            Some(text) => format!("name it without quotes: `{name} = {}`", text.value()),
            None => format!("name one, as in `{}`", example(&name)),
        };
        begin.error(message(format!("`{name}` takes a type"), help))
    })
}

fn expression_of(name: &Name, input: ParseStream<'_>) -> syn::Result<Expr> {
    let begin = input.fork();
    input.parse().map_err(|_| {
        let name = name.text();
        let problem = format!("the value of `{name}` is not a whole expression");
        let help = format!("write it as in `{}`", example(&name));
        Error::new_spanned(up_to_comma(&begin), message(problem, help))
    })
}

/// Returns whether this word comes next, and is no option with a value.
fn at_word(input: ParseStream<'_>, word: &str) -> bool {
    let ahead = input.fork();
    let is_word = ahead.call(Ident::parse_any).is_ok_and(|next| next == word);
    is_word && !ahead.peek(Token![=]) && !ahead.peek(Paren) && !ahead.is_empty()
}

fn at_name(input: ParseStream<'_>) -> bool {
    input.peek(Ident::peek_any) || input.peek(LitStr)
}

fn name(input: ParseStream<'_>, place: &Place) -> syn::Result<Name> {
    if input.peek(LitStr) {
        return input.parse().map(Name::Text);
    }
    if input.peek(Ident::peek_any) {
        return input.call(Ident::parse_any).map(Name::Word);
    }
    let Place { what, example, .. } = place;
    let number: Option<LitInt> = input.fork().parse().ok();
    let number = number.map_or("60".to_owned(), |number| number.base10_digits().to_owned());
    let written = up_to_comma(&input.fork()).to_string();
    let meant = match value::rate(&written) {
        Some((limit, per)) if *example == "limit" => format!("limit = {limit}, per = \"{per}\""),
        _ => format!("{example} = {number}"),
    };
    Err(input.error(message(
        format!("this is not {what}"),
        format!("{what} begins with its name, as in `{meant}`"),
    )))
}

/// What is left of an item.
fn up_to_comma(input: ParseStream<'_>) -> TokenStream {
    let mut rest = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        // A token tree can always be read where the input is not at its end.
        let Ok(token) = input.parse::<TokenTree>() else {
            break;
        };
        rest.extend([token]);
    }
    rest
}
