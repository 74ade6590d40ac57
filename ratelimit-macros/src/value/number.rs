//! How many requests: a number, a constant or, of a cost, a function.

use quote::ToTokens;
use syn::{Expr, ExprPath, ExprUnary, Lit, UnOp};

use super::{
    is_constant,
    time::{WINDOW, duration, rate},
    ungroup,
};
use crate::{errors::Errors, options::example};

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
                    "for less than one request in a window, make the window longer, as in `limit = 1, per = \"2m\"`",
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
        _ if is_constant(&expr) => Some(Number { value: None, expr }),
        other => {
            not_a_number(option, other, errors);
            None
        }
    }
}

/// How to write the number that is in a text.
fn without_quotes(option: &str, text: &str) -> String {
    if text == "unlimited" || text.parse::<u32>().is_ok_and(|number| number > 0) {
        return format!("write it without quotes: `{option} = {text}`");
    }
    match (rate(text), option) {
        (Some((number, window)), "limit") => {
            format!("write `limit = {number}, per = \"{window}\"`")
        }
        (Some((number, _)), "burst" | "cost") => format!("write `{option} = {number}`"),
        (Some((number, window)), tier) => {
            format!("write `{tier}(limit = {number}, per = \"{window}\")`")
        }
        (None, _) => format!("write it as in `{}`", example(option)),
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
