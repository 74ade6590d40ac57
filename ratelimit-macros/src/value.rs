//! What can stand behind an option's `=`. Literals are checked here; constants are left to the
//! compiler, which evaluates them in the policy that is emitted.

use std::time::Duration;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{
    Expr, ExprGroup, ExprParen, ExprPath, ExprUnary, Lit, LitStr, Path, UnOp, spanned::Spanned,
};

use crate::{
    duration::duration,
    errors::Errors,
    options::{list, similar},
};

/// A number of requests.
#[derive(Clone)]
pub(crate) struct Number {
    pub(crate) expr: Expr,
    /// `None` for a constant, whose value only the compiler knows.
    pub(crate) value: Option<u32>,
}

/// A length of time.
#[derive(Clone)]
pub(crate) enum Time {
    Literal(Duration, Span),
    Constant(Expr),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    TokenBucket,
    SlidingWindow,
    FixedWindow,
}

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

/// What one request costs.
pub(crate) enum Cost {
    Fixed(Number),
    Function(Expr),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnStoreError {
    Local,
    Allow,
    Deny,
}

/// A header's name, in lower case.
#[derive(Clone)]
pub(crate) struct Header(pub(crate) LitStr);

/// At least one request: `60`, or a constant.
pub(crate) fn count(option: &str, expr: Expr, errors: &mut Errors) -> Option<Number> {
    let expr = ungroup(expr);
    match &expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(int) if !["", "u32"].contains(&int.suffix()) => {
                let digits = int.base10_digits();
                errors.at(
                    int,
                    format!("`{int}` is not a number of requests"),
                    match duration(&int.to_string()) {
                        Ok(_) => format!("a window is given as `per = \"{int}\"`"),
                        Err(_) => format!("write `{option} = {digits}`"),
                    },
                );
                None
            }
            Lit::Int(int) => match int.base10_parse::<u32>() {
                Ok(0) => {
                    errors.at(
                        int,
                        format!("`{option}` must be at least 1"),
                        match option {
                            "cost" => "for requests that cost nothing, leave the attribute out",
                            "burst" => "leave `burst` out to allow as many at once as the limit",
                            _ => "to turn every request away, do not route the handler",
                        },
                    );
                    None
                }
                Ok(value) => Some(Number {
                    value: Some(value),
                    expr,
                }),
                Err(_) => {
                    errors.at(
                        int,
                        format!("`{int}` is too large"),
                        format!("`{option}` can be at most {}", u32::MAX),
                    );
                    None
                }
            },
            Lit::Float(float) => {
                errors.at(
                    float,
                    format!("`{option}` must be a whole number"),
                    "for less than one request in a window, make the window longer, as in `limit = 1, per = \"2m\"`",
                );
                None
            }
            Lit::Str(text) => {
                errors.at(
                    text,
                    format!("`{option}` must be a number"),
                    match text.value().parse::<u32>() {
                        Ok(number) => format!("write it without quotes: `{option} = {number}`"),
                        Err(_) => format!("write it as in `{option} = 60`"),
                    },
                );
                None
            }
            other => {
                not_a_number(option, other, errors);
                None
            }
        },
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_), ..
        }) => {
            errors.at(
                &expr,
                format!("`{option}` cannot be negative"),
                "it counts requests, and must be at least 1",
            );
            None
        }
        Expr::Path(ExprPath { path, .. }) if path.is_ident("unlimited") => {
            errors.at(
                path,
                format!("`{option}` cannot be unlimited"),
                "only a tier can be, as in `internal = unlimited`",
            );
            None
        }
        _ if is_constant(&expr) => Some(Number { value: None, expr }),
        other => {
            not_a_number(option, other, errors);
            None
        }
    }
}

fn not_a_number(option: &str, value: impl ToTokens, errors: &mut Errors) {
    errors.at(
        value,
        format!("`{option}` must be a number"),
        format!("write it as in `{option} = 60`, or name a constant of the type u32"),
    );
}

/// A window: `"30s"`, or a constant `Duration`.
pub(crate) fn time(option: &str, expr: Expr, errors: &mut Errors) -> Option<Time> {
    let expr = ungroup(expr);
    match &expr {
        Expr::Lit(literal) => {
            let (text, written) = match &literal.lit {
                Lit::Str(text) => (text.value(), text.value()),
                other => (other.to_token_stream().to_string(), String::new()),
            };
            match duration(&text) {
                Ok(time) if text == written => return Some(Time::Literal(time, literal.span())),
                Ok(_) => errors.at(
                    literal,
                    format!("`{option}` must be a text"),
                    format!("write it with quotes: `{option} = \"{text}\"`"),
                ),
                Err((problem, help)) => errors.at(literal, problem, help),
            }
            None
        }
        _ if is_constant(&expr) => Some(Time::Constant(expr)),
        other => {
            errors.at(
                other,
                format!("`{option}` must be a length of time"),
                format!("write it as in `{option} = \"30s\"`, or name a constant `Duration`"),
            );
            None
        }
    }
}

/// `"token_bucket"`, or the same as a bare word.
pub(crate) fn algorithm(_: &str, expr: Expr, errors: &mut Errors) -> Option<Algorithm> {
    const NAMES: [(&str, Algorithm); 3] = [
        ("token_bucket", Algorithm::TokenBucket),
        ("sliding_window", Algorithm::SlidingWindow),
        ("fixed_window", Algorithm::FixedWindow),
    ];
    const BORROWED: [(&str, &str); 6] = [
        ("gcra", "token_bucket"),
        ("leaky_bucket", "token_bucket"),
        ("sliding_log", "sliding_window"),
        ("sliding_window_log", "sliding_window"),
        ("moving_window", "sliding_window"),
        ("fixed_window_counter", "fixed_window"),
    ];
    let expr = ungroup(expr);
    let names = || NAMES.iter().map(|(name, _)| *name);
    let Some(word) = word(&expr) else {
        errors.at(
            expr,
            "`algo` is one of a few words",
            format!("they are {}", list(names())),
        );
        return None;
    };
    if let Some((_, algorithm)) = NAMES.iter().find(|(name, _)| *name == word) {
        return Some(*algorithm);
    }
    let simplified = word.to_lowercase().replace([' ', '-'], "_");
    let borrowed = BORROWED.iter().find(|(theirs, _)| *theirs == simplified);
    let meant = borrowed
        .map(|(_, ours)| *ours)
        .or_else(|| similar(&simplified, names()));
    errors.at(
        expr,
        format!("unknown algorithm `{word}`"),
        match meant {
            Some(meant) => format!("write `algo = \"{meant}\"`"),
            None => format!("the algorithms are {}", list(names())),
        },
    );
    None
}

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

/// A number of requests, or a function that says it. A constant is told from a function by its
/// capitals.
pub(crate) fn cost(option: &str, expr: Expr, errors: &mut Errors) -> Option<Cost> {
    let expr = ungroup(expr);
    let is_function = match &expr {
        Expr::Closure(_) => true,
        Expr::Path(ExprPath { path, .. }) => {
            let last = path
                .segments
                .last()
                .map(|segment| segment.ident.to_string());
            last.is_some_and(|name| name != "unlimited" && name.contains(char::is_lowercase))
        }
        _ => false,
    };
    if is_function {
        return Some(Cost::Function(expr));
    }
    count(option, expr, errors).map(Cost::Fixed)
}

/// The name of a function, or a closure.
pub(crate) fn function(option: &str, expr: Expr, errors: &mut Errors) -> Option<Expr> {
    let expr = ungroup(expr);
    if matches!(expr, Expr::Path(_) | Expr::Closure(_)) {
        return Some(expr);
    }
    errors.at(
        expr,
        format!("`{option}` must be a function"),
        format!("name one, or write it as a closure, as in `{option} = |it| …`"),
    );
    None
}

/// `"local"`, `"allow"` or `"deny"`, or the same as a bare word.
pub(crate) fn on_store_error(
    option: &str,
    expr: Expr,
    errors: &mut Errors,
) -> Option<OnStoreError> {
    let expr = ungroup(expr);
    match word(&expr).as_deref() {
        Some("local") => Some(OnStoreError::Local),
        Some("allow") => Some(OnStoreError::Allow),
        Some("deny") => Some(OnStoreError::Deny),
        _ => {
            errors.at(
                expr,
                format!("`{option}` is one of three words"),
                "write `\"local\"` to keep the limits in memory meanwhile, `\"allow\"` to admit everybody, or `\"deny\"` to admit nobody",
            );
            None
        }
    }
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

/// The name of a tier, as a text or a bare word.
pub(crate) fn tier_name(option: &str, expr: Expr, errors: &mut Errors) -> Option<(String, Expr)> {
    let expr = ungroup(expr);
    let Some(name) = word(&expr) else {
        errors.at(
            expr,
            format!("`{option}` must be the name of a tier"),
            "write it as in `default_tier = \"free\"`",
        );
        return None;
    };
    Some((name, expr))
}

/// A name for the policy: a text, or a constant one.
pub(crate) fn policy_name(option: &str, expr: Expr, errors: &mut Errors) -> Option<Expr> {
    let expr = ungroup(expr);
    match literal_text(&expr) {
        Some(text) if text.value().is_empty() || text.value().contains(char::is_control) => {
            errors.at(
                text,
                "a policy's name must be readable: it is shown to clients and in Redis",
                "write it as in `name = \"search\"`, or leave it out",
            );
            None
        }
        None if !is_constant(&expr) => {
            errors.at(
                expr,
                format!("`{option}` must be a text"),
                "write it as in `name = \"search\"`",
            );
            None
        }
        _ => Some(expr),
    }
}

/// A path to the runtime crate.
pub(crate) fn path(option: &str, expr: Expr, errors: &mut Errors) -> Option<Path> {
    match ungroup(expr) {
        Expr::Path(ExprPath {
            attrs,
            qself: None,
            path,
        }) if attrs.is_empty() => Some(path),
        other => {
            errors.at(
                other,
                format!("`{option}` must be a path"),
                "write it as in `crate = ::ratelimit`",
            );
            None
        }
    }
}

/// Whether this is how a tier without a limit is written.
pub(crate) fn is_unlimited(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(ExprPath { path, .. }) if path.is_ident("unlimited"))
}

/// A bare word, or the same word as a text.
fn word(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(ExprPath { path, .. }) => path.get_ident().map(ToString::to_string),
        _ => literal_text(expr).map(LitStr::value),
    }
}

fn literal_text(expr: &Expr) -> Option<&LitStr> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Without the parentheses around it, and without the invisible ones of a `macro_rules!`.
fn ungroup(expr: Expr) -> Expr {
    match expr {
        Expr::Group(ExprGroup { expr, .. }) | Expr::Paren(ExprParen { expr, .. }) => ungroup(*expr),
        other => other,
    }
}

/// What can be a constant expression; the compiler has the last word.
fn is_constant(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Path(_)
            | Expr::Binary(_)
            | Expr::Call(_)
            | Expr::MethodCall(_)
            | Expr::Field(_)
            | Expr::Index(_)
            | Expr::Cast(_)
            | Expr::Macro(_)
            | Expr::Block(_)
            | Expr::If(_)
            | Expr::Match(_)
    )
}
