//! Lengths of time: `"30s"`, `"500ms"`, `"2m30s"`, or a constant `Duration`.

use std::time::Duration;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Expr, Lit, spanned::Spanned};

use super::{is_constant, ungroup};
use crate::errors::Errors;

/// A length of time.
#[derive(Clone)]
pub(crate) enum Time {
    Literal(Duration, Span),
    Constant(Expr),
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

/// The units of a length of time, and how many microseconds each has.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// The longest window that the runtime takes, in microseconds.
const LONGEST: u64 = 366 * 86_400_000_000;

/// Reads `30s`, `500ms` or `2m30s`; what is wrong and how to mend it where it is none of these.
pub(super) fn duration(text: &str) -> Result<Duration, (String, String)> {
    let mut rest = text;
    let mut micros = 0_u64;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, char::is_alphabetic);
        let size = UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, size)) = size.filter(|_| !digits.is_empty()) else {
            return Err((format!("`{text}` is not a length of time"), mended(text)));
        };
        let part = digits.parse::<u64>().ok();
        let sum = part
            .and_then(|number| number.checked_mul(*size))
            .and_then(|part| micros.checked_add(part));
        micros = sum.filter(|micros| *micros <= LONGEST).ok_or_else(|| {
            let help = "it can be at most 366 days: `\"366d\"`";
            (format!("`{text}` is too long"), help.to_owned())
        })?;
        rest = after;
    }
    if micros == 0 {
        let help = "a window must be longer than nothing, as in `\"1m\"`";
        return Err((format!("`{text}` is no time at all"), help.to_owned()));
    }
    Ok(Duration::from_micros(micros))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// How to write the time that was probably meant.
fn mended(text: &str) -> String {
    const WORDS: [(&str, &[&str]); 6] = [
        ("us", &["µs", "usec", "micro", "microsecond"]),
        ("ms", &["msec", "milli", "millisecond"]),
        ("s", &["S", "sec", "second"]),
        ("m", &["M", "min", "minute"]),
        ("h", &["H", "hr", "hour"]),
        ("d", &["D", "day"]),
    ];
    let (digits, unit) = split(text.trim(), |c| c.is_ascii_digit());
    let number = if digits.is_empty() { "1" } else { digits };
    let unit = unit.trim();
    if unit.is_empty() {
        return format!("say of what: `\"{number}s\"` for seconds, `\"{number}m\"` for minutes");
    }
    let singular = unit.strip_suffix('s').filter(|word| !word.is_empty());
    let is_meant = |word: &str| word == unit || Some(word) == singular;
    let meant = WORDS
        .iter()
        .find(|(short, words)| is_meant(short) || words.iter().any(|word| is_meant(word)));
    match meant {
        Some((unit, _)) => format!("write `\"{number}{unit}\"`"),
        None => "a time is whole numbers with the units `ms`, `s`, `m`, `h` and `d`, as in `\"30s\"` or `\"2m30s\"`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_are_written() {
        let cases = [
            ("500ms", 500_000),
            ("30s", 30_000_000),
            ("1m", 60_000_000),
            ("1h", 3_600_000_000),
            ("1d", 86_400_000_000),
            ("2m30s", 150_000_000),
            ("7us", 7),
        ];
        for (text, micros) in cases {
            assert_eq!(duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn a_wrong_duration_is_mended() {
        let cases = [
            ("", "no time at all", "longer than nothing"),
            ("0s", "no time at all", "longer than nothing"),
            ("60", "not a length", "`\"60s\"` for seconds"),
            ("1 m", "not a length", "write `\"1m\"`"),
            ("m", "not a length", "write `\"1m\"`"),
            ("minute", "not a length", "write `\"1m\"`"),
            ("5 minutes", "not a length", "write `\"5m\"`"),
            ("1M", "not a length", "write `\"1m\"`"),
            ("10seconds", "not a length", "write `\"10s\"`"),
            ("1 fortnight", "not a length", "units"),
            ("-1s", "not a length", "units"),
            ("1.5h", "not a length", "units"),
            ("1m30", "not a length", "units"),
            ("99999999999999999999s", "too long", "366 days"),
            ("367d", "too long", "366 days"),
        ];
        for (text, problem, help) in cases {
            let (said, mended) = duration(text).expect_err(text);
            assert!(said.contains(problem), "{text}: {said}");
            assert!(mended.contains(help), "{text}: {mended}");
        }
    }
}
