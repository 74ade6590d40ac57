//! What shares a bucket, and the names of headers.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{
    BinOp, Expr, ExprArray, ExprBinary, ExprCall, ExprPath, ExprTuple, LitStr, spanned::Spanned,
};

use super::{is_lowercase, literal_text, ungroup, word};
use crate::{errors::Errors, options::similar};

/// What shares a bucket.
pub(crate) enum Key {
    Caller,
    Ip,
    Global,
    Header(Header),
    Host,
    Path(LitStr),
    Function(Expr),
    /// A function whose name resembles one of the words, and that word.
    Resembling(Ident, &'static str),
    All(Vec<Key>),
}

/// A header's name.
pub(crate) enum Header {
    /// In lower case.
    Text(LitStr),
    /// The path of a constant, a `&str` or a `HeaderName`.
    Constant(Expr),
}

/// `ip`, `global`, `caller`, `host`, `header("X-Tenant")`, `path("id")`, a function, or several of them.
pub(crate) fn key(_: &str, expr: Expr, errors: &mut Errors) -> Option<Key> {
    one_or_several("key = ", expr, errors)
}

/// `before` is what stands before the key, for the errors: nothing where it is one of several.
fn one_or_several(before: &str, expr: Expr, errors: &mut Errors) -> Option<Key> {
    let expr = ungroup(expr);
    match &expr {
        Expr::Tuple(ExprTuple { elems, .. }) if elems.len() > 1 => {
            let keys = elems.iter().cloned();
            let keys = keys.map(|each| one_or_several("", each, errors));
            let keys: Vec<Option<Key>> = keys.collect();
            keys.into_iter().collect::<Option<_>>().map(Key::All)
        }
        Expr::Call(call) => called(before, call, errors),
        Expr::Path(_) => match word(&expr).as_deref() {
            Some(word) => named(before, word, expr, errors),
            None => match key_of_runtime(&expr) {
                Some(word) if CALLED.contains(&word) => says_not_which(before, word, expr, errors),
                Some(word) => no_key(expr, format!("write `{before}{word}`"), errors),
                None => Some(Key::Function(expr)),
            },
        },
        Expr::Closure(_) => Some(Key::Function(expr)),
        Expr::Binary(_) | Expr::Array(_) if header_in(&expr).is_some() => {
            let name = header_in(&expr)?;
            no_key(expr, format!("write `{before}header(\"{name}\")`"), errors)
        }
        Expr::Binary(_) | Expr::Array(_) if keys_in(&expr).is_some() => {
            let keys = keys_in(&expr)?.join(", ");
            no_key(
                expr,
                format!("write `{before}({keys})` for all together"),
                errors,
            )
        }
        _ => {
            let help = match literal_text(&expr).map(LitStr::value) {
                Some(word) if KEYS.contains(&word.as_str()) => {
                    format!("write it without quotes: `{before}{word}`")
                }
                Some(text) if is_header_name(&text) => format!(
                    "write `{before}header(\"{text}\")` for a header of this name, or `{before}path(\"{text}\")` for a parameter of the route"
                ),
                _ => format!(
                    "write `{before}ip`, `{before}global`, `{before}caller`, `{before}host`, `{before}header(\"X-Tenant\")`, `{before}path(\"id\")`, the name of a function, or several of them as in `key = (ip, path(\"id\"))`"
                ),
            };
            no_key(expr, help, errors)
        }
    }
}

/// The keys that are words.
pub(crate) const KEYS: [&str; 4] = ["ip", "global", "caller", "host"];

/// The keys that name something.
const CALLED: [&str; 2] = ["header", "path"];

/// Returns the header of `X-Tenant` without quotes, which reads as a difference.
fn header_in(expr: &Expr) -> Option<String> {
    let is_part = |expr: &Expr| matches!(expr, Expr::Path(_)) || header_in(expr).is_some();
    match expr {
        Expr::Binary(ExprBinary {
            left,
            op: BinOp::Sub(_),
            right,
            ..
        }) if is_part(left) && is_part(right) => {
            let name = expr.to_token_stream().to_string().replace(' ', "");
            is_header_name(&name).then_some(name)
        }
        _ => None,
    }
}

/// Returns the keys of `ip + host` or `[ip, host]`.
fn keys_in(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Binary(ExprBinary { left, right, .. }) => {
            let mut keys = keys_in(left)?;
            keys.extend(keys_in(right)?);
            Some(keys)
        }
        Expr::Array(ExprArray { elems, .. }) if elems.len() > 1 => {
            let keys: Option<Vec<Vec<String>>> = elems.iter().map(keys_in).collect();
            keys.map(|keys| keys.concat())
        }
        Expr::Path(_) | Expr::Call(_) => Some(vec![expr.to_token_stream().to_string()]),
        _ => None,
    }
}

/// Returns the word for `Key::Ip` and the like, as the runtime has them.
fn key_of_runtime(expr: &Expr) -> Option<&'static str> {
    let Expr::Path(ExprPath { path, .. }) = expr else {
        return None;
    };
    let mut segments = path.segments.iter().rev();
    let (last, before) = (segments.next()?, segments.next()?);
    let word = last.ident.to_string().to_lowercase();
    KEYS.into_iter()
        .chain(CALLED)
        .find(|key| before.ident == "Key" && *key == word)
}

fn no_key(expr: impl ToTokens, help: String, errors: &mut Errors) -> Option<Key> {
    let problem = "this is nothing that requests can share a bucket by";
    errors.at(expr, problem, help);
    None
}

fn named(before: &str, word: &str, expr: Expr, errors: &mut Errors) -> Option<Key> {
    let lowercase = word.to_lowercase();
    match word {
        "ip" => Some(Key::Ip),
        "global" => Some(Key::Global),
        "caller" => Some(Key::Caller),
        "host" => Some(Key::Host),
        "header" | "path" => says_not_which(before, word, expr, errors),
        _ if KEYS.contains(&lowercase.as_str()) => {
            no_key(expr, format!("write `{before}{lowercase}`"), errors)
        }
        _ => Some(match similar(word, KEYS.into_iter()) {
            Some(similar) => Key::Resembling(Ident::new(word, expr.span()), similar),
            None => Key::Function(expr),
        }),
    }
}

/// `header("X-Tenant")` or `path("id")`; nothing else is called.
fn called(before: &str, call: &ExprCall, errors: &mut Errors) -> Option<Key> {
    let what = word(&call.func).unwrap_or_default();
    let mut arguments = call.args.iter();
    match (what.as_str(), arguments.next(), arguments.next()) {
        ("header", Some(name), None) => {
            header_within(before, name.clone(), errors).map(Key::Header)
        }
        ("path", Some(name), None) => path_parameter(before, name.clone(), errors).map(Key::Path),
        ("header" | "path", None, _) => says_not_which(before, &what, call, errors),
        ("header" | "path", Some(_), Some(_)) => {
            let each = call.args.iter();
            let each: Vec<String> = each
                .map(|name| format!("{what}({})", name.to_token_stream()))
                .collect();
            let help = format!("write one for each: `{before}({})`", each.join(", "));
            errors.at(&call.args, format!("`{what}` takes one name"), help);
            None
        }
        ("host", Some(first), second) => {
            // A list is one already.
            let first = match first {
                Expr::Reference(reference) => &reference.expr,
                first => first,
            };
            let hosts = match (first, second) {
                (Expr::Array(_) | Expr::Path(_), None) => first.to_token_stream().to_string(),
                _ => format!("[{}]", call.args.to_token_stream()),
            };
            let hosts = hosts.replace(" ,", ",");
            let help = format!(
                "write `{before}host`, and list the hosts with `RateLimiter::builder().hosts({hosts})`"
            );
            no_key(call, help, errors)
        }
        (word, ..) if KEYS.contains(&word) => {
            no_key(call, format!("write `{before}{word}`"), errors)
        }
        _ => {
            let arguments = &call.args.to_token_stream();
            let meant = key_of_runtime(&call.func);
            let help = match meant.or_else(|| similar(&what, CALLED.into_iter())) {
                Some(word) if KEYS.contains(&word) => format!("write `{before}{word}`"),
                Some(word) if call.args.is_empty() => {
                    return says_not_which(before, word, call, errors);
                }
                Some(word) => format!("write `{before}{word}({arguments})`"),
                None => format!(
                    "functions are named, not called: write `{before}{}`",
                    call.func.to_token_stream()
                ),
            };
            no_key(call, help, errors)
        }
    }
}

fn says_not_which(
    before: &str,
    what: &str,
    key: impl ToTokens,
    errors: &mut Errors,
) -> Option<Key> {
    let example = match what {
        "header" => "header(\"X-Tenant\")",
        _ => "path(\"id\")",
    };
    errors.at(
        key,
        format!("`{what}` does not say which"),
        format!("write it as in `{before}{example}`"),
    );
    None
}

/// `"id"` of a route `/users/{id}`.
fn path_parameter(before: &str, expr: Expr, errors: &mut Errors) -> Option<LitStr> {
    let expr = ungroup(expr);
    let text = literal_text(&expr).cloned();
    let name = text.as_ref().map(LitStr::value).unwrap_or_default();
    if name.is_empty() || name.contains(['{', '}', '/', '*', ':']) {
        // What is between the braces of a whole path is probably meant, or the word itself.
        let between = name
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'));
        let parameter = between.map(|(parameter, _)| parameter.trim_start_matches('*').to_owned());
        let example = parameter.or_else(|| word(&expr).filter(|_| text.is_none()));
        let example = example
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "id".to_owned());
        errors.at(
            expr,
            "`path` takes the name of a parameter of the route",
            format!("for a route as `/users/{{{example}}}` write `{before}path(\"{example}\")`"),
        );
        return None;
    }
    text
}

/// The name of a header, as a text.
pub(crate) fn header(option: &str, expr: Expr, errors: &mut Errors) -> Option<Header> {
    header_name(expr, "X-API-Key", errors, |name| {
        format!("{option} = \"{name}\"")
    })
}

/// The header of a key.
fn header_within(before: &str, expr: Expr, errors: &mut Errors) -> Option<Header> {
    if let Some(text) = literal_text(&expr)
        && text.value().eq_ignore_ascii_case("host")
    {
        errors.at(
            text,
            "the host of a request is in this header over HTTP/1.1 alone",
            format!("write `{before}host`, which is the host over HTTP/2 as well"),
        );
        return None;
    }
    header_name(expr, "X-Tenant", errors, |name| {
        format!("{before}header(\"{name}\")")
    })
}

/// A name that a header can have; `written` is how it stands there.
fn header_name(
    expr: Expr,
    example: &str,
    errors: &mut Errors,
    written: impl Fn(&str) -> String,
) -> Option<Header> {
    let expr = ungroup(expr);
    if is_constant_path(&expr) {
        return Some(Header::Constant(expr));
    }
    let Some(text) = literal_text(&expr) else {
        let named = match &expr {
            Expr::Call(call) => call.args.first().and_then(literal_text).map(LitStr::value),
            expr => header_in(expr)
                .or_else(|| word(expr).map(|word| as_header_name(&word.to_lowercase()))),
        };
        let named = named.filter(|name| is_header_name(name));
        errors.at(
            expr,
            "the name of a header is a text, or a constant in capitals",
            format!("write `{}`", written(named.as_deref().unwrap_or(example))),
        );
        return None;
    };
    let name = text.value();
    if !is_header_name(&name) {
        // Behind a colon stands the header's value.
        let before_colon = name.split(':').next().unwrap_or(&name);
        let mended = Some(as_header_name(before_colon)).filter(|name| is_header_name(name));
        errors.at(
            text,
            "no header has this name",
            format!(
                "a name has letters, digits and hyphens: `{}`",
                written(mended.as_deref().unwrap_or(example))
            ),
        );
        return None;
    }
    let name = name.to_ascii_lowercase();
    Some(Header::Text(LitStr::new(&name, text.span())))
}

/// Returns whether it is the path of a constant: its last segment is in capitals.
fn is_constant_path(expr: &Expr) -> bool {
    let Expr::Path(ExprPath { path, .. }) = expr else {
        return false;
    };
    let last = path.segments.last().map(|last| last.ident.to_string());
    last.is_some_and(|last| !is_lowercase(&last))
}

/// A token: <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2>
fn is_header_name(name: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.chars().all(is_token)
}

/// The name that was probably meant: `X-Tenant` by `X Tenant`, or by a constant `x_tenant`.
fn as_header_name(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect::<Vec<String>>().join("-")
}
