//! How many requests: a number, a constant or, of a cost, a function.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    BinOp, Expr, ExprBinary, ExprCall, ExprPath, ExprTuple, ExprUnary, Lit, Token, UnOp,
    parse::Parser, punctuated::Punctuated,
};

use super::{
    is_constant, literal_text,
    time::{WINDOW, duration, rate, whole_number},
    ungroup,
};
use crate::{
    errors::Errors,
    options::{RATES, example},
};

/// A number of requests.
#[derive(Clone)]
pub(crate) struct Number {
    pub(crate) expr: Expr,
    /// `None` for a constant, whose value only the compiler knows.
    pub(crate) value: Option<u32>,
}

/// What one request costs.
pub(crate) enum Cost {
    Fixed(Number),
    Function(Expr),
}

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
                    match duration(&int.to_string(), &WINDOW) {
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
                    without_fraction(option, float.base10_digits()),
                );
                None
            }
            Lit::Str(text) => {
                errors.at(
                    text,
                    format!("`{option}` must be a number"),
                    without_quotes(option, &text.value()),
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
                format!("it counts requests, as in `{}`", example(option)),
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
        Expr::Binary(_) | Expr::Call(_) | Expr::Tuple(_) if window_in(&expr).is_some() => {
            let (limit, window) = window_in(&expr)?;
            errors.at(
                &expr,
                format!("`{option}` must be a number"),
                of_rate(option, &limit, &window),
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

/// Says how to write a number that has a fraction or an exponent.
fn without_fraction(option: &str, digits: &str) -> String {
    let number: f64 = digits.parse().unwrap_or(f64::NAN);
    let is_whole = |number: f64| number.fract() == 0.0;
    if is_whole(number) && (1.0..=f64::from(u32::MAX)).contains(&number) {
        return format!("write `{option} = {number}`");
    }
    match option {
        _ if number > f64::from(u32::MAX) => format!("`{option}` can be at most {}", u32::MAX),
        "cost" | "burst" => {
            let decimals = digits.split_once('.').map_or(0, |(_, part)| part.len());
            let factor = "0".repeat(decimals.clamp(1, 9));
            format!(
                "count in smaller units: multiply the limit, the burst and each cost by 1{factor}"
            )
        }
        _ if number < 1.0 => {
            "for less than one request in a window, make the window longer, as in `limit = 1, per = \"2m\"`".to_owned()
        }
        _ => "for a part of a request, multiply the limit and the window by one number, as in `limit = 3, per = \"2m\"`".to_owned(),
    }
}

/// Says how to write the number that is in a text.
fn without_quotes(option: &str, text: &str) -> String {
    match (text, option) {
        ("unlimited", "limit" | "burst" | "cost") => {
            return "only a tier can be unlimited, as in `internal = unlimited`".to_owned();
        }
        ("unlimited", tier) => return format!("write it without quotes: `{tier} = unlimited`"),
        _ => {}
    }
    if let Some(number) = whole_number(text).filter(|number| *number > 0) {
        return format!("write it without quotes: `{option} = {number}`");
    }
    match rate(text) {
        Some((number, window)) => of_rate(option, &number.to_string(), &window),
        None => format!("write it as in `{}`", example(option)),
    }
}

/// Says how to write a limit together with its window.
pub(crate) fn of_rate(option: &str, limit: &str, window: &str) -> String {
    match option {
        "limit" => format!("write `limit = {limit}, per = \"{window}\"`"),
        "burst" | "cost" => format!("write `{option} = {limit}`"),
        tier => format!("write `{tier}(limit = {limit}, per = \"{window}\")`"),
    }
}

/// Returns the limit and the window of `60 / minute`, `Quota::per_minute(60)` or `(60, "1m")`.
pub(crate) fn window_in(expr: &Expr) -> Option<(String, String)> {
    match expr {
        Expr::Binary(ExprBinary {
            left,
            op: BinOp::Div(_),
            right,
            ..
        }) if matches!(**left, Expr::Lit(_)) && matches!(**right, Expr::Path(_)) => {
            let (limit, window) = rate(&expr.to_token_stream().to_string())?;
            Some((limit.to_string(), window))
        }
        Expr::Call(ExprCall { func, args, .. }) if args.len() == 1 => {
            let Expr::Path(ExprPath { path, .. }) = &**func else {
                return None;
            };
            let name = path.segments.last()?.ident.to_string();
            let (_, window) = RATES.iter().find(|(theirs, _)| *theirs == name)?;
            Some((unquoted(args.first()?), (*window).to_owned()))
        }
        Expr::Tuple(ExprTuple { elems, .. }) => limit_and_window(elems.to_token_stream()),
        _ => None,
    }
}

/// Returns the limit and the window of `60, "1m"`.
pub(crate) fn limit_and_window(tokens: TokenStream) -> Option<(String, String)> {
    let both = Punctuated::<Expr, Token![,]>::parse_terminated;
    let both = both.parse2(tokens).ok()?;
    let (Some(limit), Some(window), 2) = (both.first(), both.last(), both.len()) else {
        return None;
    };
    let window = literal_text(window)?.value();
    duration(&window, &WINDOW).ok()?;
    let is_number = literal_text(limit).is_none_or(|text| whole_number(&text.value()).is_some());
    (is_number && matches!(limit, Expr::Lit(_) | Expr::Path(_))).then(|| (unquoted(limit), window))
}

/// Returns a limit as it is written, without the quotes of a number; an example for another text.
pub(crate) fn unquoted(limit: &Expr) -> String {
    match literal_text(limit) {
        Some(text) => whole_number(&text.value()).unwrap_or(60).to_string(),
        None => limit.to_token_stream().to_string(),
    }
}

fn not_a_number(option: &str, value: impl ToTokens, errors: &mut Errors) {
    errors.at(
        value,
        format!("`{option}` must be a number"),
        format!(
            "write it as in `{}`, or name a constant of the type u32",
            example(option)
        ),
    );
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

/// Whether this is how a tier without a limit is written.
pub(crate) fn is_unlimited(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(ExprPath { path, .. }) if path.is_ident("unlimited"))
}
