//! What can stand behind an option's `=`. Literals are checked here; constants are left to the
//! compiler, which evaluates them in the policy that is emitted.

mod key;
mod number;
mod time;

use quote::ToTokens;
use syn::{Expr, ExprCall, ExprGroup, ExprParen, ExprPath, Lit, LitStr, Path};

pub(crate) use self::{
    key::{Header, KEYS, Key, header, key},
    number::{
        Cost, Number, cost, count, is_unlimited, limit_and_window, of_rate, unquoted, window_in,
    },
    time::{Time, rate, wait, window},
};
use crate::{
    errors::Errors,
    options::{example, list, similar},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    TokenBucket,
    SlidingWindow,
    FixedWindow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnStoreError {
    Local,
    Allow,
    Deny,
}

/// The words for algorithms.
pub(crate) const ALGORITHMS: [&str; 3] = ["token_bucket", "sliding_window", "fixed_window"];

/// `"token_bucket"`, or the same as a bare word.
pub(crate) fn algorithm(_: &str, expr: Expr, errors: &mut Errors) -> Option<Algorithm> {
    const BORROWED: [(&str, &str); 12] = [
        ("gcra", "token_bucket"),
        ("leaky_bucket", "token_bucket"),
        ("leaky", "token_bucket"),
        ("token", "token_bucket"),
        ("bucket", "token_bucket"),
        ("sliding", "sliding_window"),
        ("sliding_log", "sliding_window"),
        ("sliding_window_log", "sliding_window"),
        ("sliding_window_counter", "sliding_window"),
        ("moving_window", "sliding_window"),
        ("fixed", "fixed_window"),
        ("fixed_window_counter", "fixed_window"),
    ];
    let expr = ungroup(expr);
    let names = || ALGORITHMS.into_iter();
    // `Algorithm::TokenBucket` is one as the runtime has it.
    let last = match &expr {
        Expr::Path(ExprPath { path, .. }) => path.segments.last(),
        _ => None,
    };
    let word = word(&expr).or_else(|| last.map(|segment| segment.ident.to_string()));
    let Some(word) = word else {
        errors.at(
            expr,
            "`algo` is one of a few words",
            format!("they are {}", list(names())),
        );
        return None;
    };
    match word.as_str() {
        "token_bucket" => return Some(Algorithm::TokenBucket),
        "sliding_window" => return Some(Algorithm::SlidingWindow),
        "fixed_window" => return Some(Algorithm::FixedWindow),
        _ => {}
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

/// The name of a function, or a closure.
pub(crate) fn function(option: &str, expr: Expr, errors: &mut Errors) -> Option<Expr> {
    let expr = ungroup(expr);
    if matches!(expr, Expr::Path(_) | Expr::Closure(_)) {
        return Some(expr);
    }
    let help = match &expr {
        Expr::Call(ExprCall { func, args, .. }) if args.is_empty() => format!(
            "it is named, not called: write `{option} = {}`",
            func.to_token_stream()
        ),
        _ => format!("name one, as in `{}`, or write a closure", example(option)),
    };
    errors.at(expr, format!("`{option}` must be a function"), help);
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
                format!(
                    "write `{option} = \"local\"` to keep the limits in memory meanwhile, `{option} = \"allow\"` to admit everybody, or `{option} = \"deny\"` to admit nobody"
                ),
            );
            None
        }
    }
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
        None if !is_constant(&expr) || word(&expr).is_some_and(|word| is_lowercase(&word)) => {
            let help = match word(&expr) {
                Some(word) => format!("write it with quotes: `{option} = \"{word}\"`"),
                None => "write it as in `name = \"search\"`".to_owned(),
            };
            errors.at(expr, format!("`{option}` must be a text"), help);
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

/// A bare word, or the same word as a text.
fn word(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(ExprPath { path, .. }) => path.get_ident().map(ToString::to_string),
        _ => literal_text(expr).map(LitStr::value),
    }
}

/// Returns whether a word is written as constants are not.
fn is_lowercase(word: &str) -> bool {
    word.contains(char::is_lowercase)
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
