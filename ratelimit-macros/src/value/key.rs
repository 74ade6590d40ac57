//! What shares a bucket, and the names of headers.

use syn::{Expr, LitStr};

use super::{literal_text, ungroup, word};
use crate::errors::Errors;

/// What shares a bucket.
pub(crate) enum Key {
    Caller,
    Ip,
    Global,
    Header(Header),
    Path(LitStr),
    Function(Expr),
    All(Vec<Key>),
}

/// A header's name, in lower case.
#[derive(Clone)]
pub(crate) struct Header(pub(crate) LitStr);

/// `ip`, `global`, `caller`, `header("X-Tenant")`, `path("id")`, a function, or several of them.
pub(crate) fn key(_: &str, expr: Expr, errors: &mut Errors) -> Option<Key> {
    const HELP: &str = "write `ip`, `global`, `caller`, `header(\"X-Tenant\")`, `path(\"id\")`, the name of a function, or several of them as in `(ip, path(\"id\"))`";
    let expr = ungroup(expr);
    match &expr {
        Expr::Tuple(tuple) if tuple.elems.len() > 1 => {
            let keys = tuple
                .elems
                .iter()
                .cloned()
                .map(|each| key("key", each, errors));
            return keys
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<Option<_>>()
                .map(Key::All);
        }
        Expr::Call(call) => {
            let mut arguments = call.args.iter();
            if let (Some(what), Some(argument), None) =
                (word(&call.func), arguments.next(), arguments.next())
            {
                match what.as_str() {
                    "header" => return header("key", argument.clone(), errors).map(Key::Header),
                    "path" => return path_parameter(argument.clone(), errors).map(Key::Path),
                    _ => {}
                }
            }
        }
        Expr::Path(_) => match word(&expr).as_deref() {
            Some("ip") => return Some(Key::Ip),
            Some("global") => return Some(Key::Global),
            Some("caller") => return Some(Key::Caller),
            Some("header" | "path") => {}
            _ => return Some(Key::Function(expr)),
        },
        Expr::Closure(_) => return Some(Key::Function(expr)),
        _ => {}
    }
    errors.at(
        expr,
        "this is nothing that requests can share a bucket by",
        HELP,
    );
    None
}

/// `"id"` of a route `/users/{id}`.
fn path_parameter(expr: Expr, errors: &mut Errors) -> Option<LitStr> {
    let expr = ungroup(expr);
    let text = literal_text(&expr).cloned();
    let name = text.as_ref().map(LitStr::value).unwrap_or_default();
    if name.is_empty() || name.contains(['{', '}', '/', '*', ':']) {
        // What is between the braces of a whole path is probably meant.
        let between = name
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'));
        let example = between.map_or("id", |(parameter, _)| parameter);
        errors.at(
            expr,
            "`path` takes the name of a parameter of the route",
            format!("for a route as `/users/{{{example}}}` write `path(\"{example}\")`"),
        );
        return None;
    }
    text
}

/// The name of a header, as a text.
pub(crate) fn header(option: &str, expr: Expr, errors: &mut Errors) -> Option<Header> {
    let expr = ungroup(expr);
    let Some(text) = literal_text(&expr) else {
        errors.at(
            expr,
            format!("`{option}` needs the name of a header as a text"),
            "write it as in `\"X-API-Key\"`",
        );
        return None;
    };
    // A token: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let name = text.value();
    if name.is_empty() || !name.chars().all(is_token) {
        errors.at(
            text,
            "no header has this name",
            "a name has letters, digits and hyphens, as in `\"X-API-Key\"`",
        );
        return None;
    }
    Some(Header(LitStr::new(&name.to_ascii_lowercase(), text.span())))
}
