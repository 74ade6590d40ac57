//! Lengths of time: `"30s"`, `"500ms"`, `"2m30s"`, or a constant `Duration`.

use std::time::Duration;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Expr, ExprPath, Lit, spanned::Spanned};

use super::{is_constant, ungroup};
use crate::errors::Errors;

/// A length of time.
#[derive(Clone)]
pub(crate) enum Time {
    Literal(Duration, Span),
    Constant(Expr),
}

/// What a length of time is for.
pub(super) struct Purpose {
    what: &'static str,
    option: &'static str,
    example: &'static str,
    /// The longest that the runtime takes: in microseconds, in words, and as it is written.
    longest: (u64, &'static str, &'static str),
    /// What a number without a unit may be meant to be.
    units: [(&'static str, &'static str); 2],
}

pub(super) const WINDOW: Purpose = Purpose {
    what: "window",
    option: "per",
    example: "1m",
    longest: (366 * 86_400_000_000, "366 days", "366d"),
    units: [("s", "seconds"), ("m", "minutes")],
};

const WAIT: Purpose = Purpose {
    what: "wait",
    option: "wait",
    example: "500ms",
    longest: (3_600_000_000, "an hour", "1h"),
    units: [("ms", "milliseconds"), ("s", "seconds")],
};

/// A window: `"30s"`, or a constant `Duration`.
pub(crate) fn window(_: &str, expr: Expr, errors: &mut Errors) -> Option<Time> {
    time(&WINDOW, expr, errors)
}

/// How long a request may wait: `"500ms"`, or a constant `Duration`.
pub(crate) fn wait(_: &str, expr: Expr, errors: &mut Errors) -> Option<Time> {
    time(&WAIT, expr, errors)
}

fn time(purpose: &Purpose, expr: Expr, errors: &mut Errors) -> Option<Time> {
    let Purpose {
        option, example, ..
    } = purpose;
    let expr = ungroup(expr);
    match &expr {
        Expr::Lit(literal) => {
            let (text, written) = match &literal.lit {
                Lit::Str(text) => (text.value(), text.value()),
                other => (other.to_token_stream().to_string(), String::new()),
            };
            match duration(&text, purpose) {
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
        // A constant is not written in lower case.
        Expr::Path(ExprPath { path, .. })
            if path
                .get_ident()
                .is_some_and(|word| is_unit(&word.to_string())) =>
        {
            let help = mended(&path.to_token_stream().to_string(), purpose);
            errors.at(path, format!("`{option}` must be a text"), help);
            None
        }
        _ if is_constant(&expr) => Some(Time::Constant(expr)),
        other => {
            errors.at(
                other,
                format!("`{option}` must be a length of time"),
                format!("write it as in `{option} = \"{example}\"`, or name a constant `Duration`"),
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

/// Reads `30s`, `500ms` or `2m30s`; what is wrong and how to mend it where it is none of these.
pub(super) fn duration(text: &str, purpose: &Purpose) -> Result<Duration, (String, String)> {
    let Purpose {
        what,
        option,
        example,
        longest: (longest, in_words, as_written),
        ..
    } = purpose;
    let nothing = || {
        let help = format!("a {what} is longer than nothing, as in `{option} = \"{example}\"`");
        let said = match text {
            "" => "an empty text".to_owned(),
            _ => format!("`{text}`"),
        };
        (format!("{said} is no time at all"), help)
    };
    let mut rest = text;
    let mut micros = 0_u64;
    // Of nothing no unit needs to be told.
    if text.chars().all(|c| c == '0') {
        return Err(nothing());
    }
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, char::is_alphabetic);
        let size = UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, size)) = size.filter(|_| !digits.is_empty()) else {
            let problem = format!("`{text}` is not a length of time");
            return Err((problem, mended(text, purpose)));
        };
        let part = digits.parse::<u64>().ok();
        let sum = part
            .and_then(|number| number.checked_mul(*size))
            .and_then(|part| micros.checked_add(part));
        micros = sum.filter(|micros| micros <= longest).ok_or_else(|| {
            let help = format!("it can be at most {in_words}: `{option} = \"{as_written}\"`");
            (format!("`{text}` is too long"), help)
        })?;
        rest = after;
    }
    if micros == 0 {
        return Err(nothing());
    }
    Ok(Duration::from_micros(micros))
}

/// Reads `60/m`, `60 / 10 seconds`, `60 requests per minute`, `10r/s` or `60rpm`: so many, and the window
/// as it is written.
pub(crate) fn rate(text: &str) -> Option<(u32, String)> {
    const REQUESTS: [&str; 8] = [
        "", "r", "req", "reqs", "request", "requests", "call", "calls",
    ];
    const SHORT: [(&str, &str); 5] = [
        ("rps", "s"),
        ("rpm", "m"),
        ("rph", "h"),
        ("rpd", "d"),
        ("qps", "s"),
    ];
    let text = text.trim().to_lowercase();
    let (digits, rest) = split(&text, |c| c.is_ascii_digit() || c == '_' || c == ',');
    let number = whole_number(digits).filter(|number| *number > 0)?;
    let rest = rest.trim();
    if let Some((_, unit)) = SHORT.iter().find(|(short, _)| *short == rest) {
        return Some((number, format!("1{unit}")));
    }
    let separators = ["/", "per ", "every ", "each ", "in ", "a ", "an "];
    let (what, window) = separators.iter().find_map(|separator| {
        let (what, window) = rest.split_once(separator)?;
        REQUESTS.contains(&what.trim()).then_some((what, window))
    })?;
    // A word needs a space before it, as in `60 a minute`.
    if !what.is_empty() && !rest.starts_with(what) {
        return None;
    }
    let (digits, unit) = number_and_unit(window)?;
    let window = format!("{digits}{unit}");
    duration(&window, &WINDOW)
        .is_ok()
        .then_some((number, window))
}

/// Reads a number that may have its digits in groups: `1_000` or `1,000`.
pub(super) fn whole_number(text: &str) -> Option<u32> {
    text.trim().replace(['_', ','], "").parse().ok()
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// How to write the time that was probably meant.
fn mended(text: &str, purpose: &Purpose) -> String {
    let Purpose { option, units, .. } = purpose;
    let meant = number_and_unit(text).map(|(number, unit)| format!("{number}{unit}"));
    if let Some(meant) = meant.or_else(|| in_smaller_units(text)) {
        return match duration(&meant, purpose) {
            Ok(_) => format!("write `{option} = \"{meant}\"`"),
            Err((problem, help)) => format!("{problem}: {help}"),
        };
    }
    let number = text.trim();
    if number.chars().all(|c| c.is_ascii_digit()) {
        let choices: Vec<String> = units
            .iter()
            .filter(|(unit, _)| duration(&format!("{number}{unit}"), purpose).is_ok())
            .map(|(unit, what)| format!("`{option} = \"{number}{unit}\"` for {what}"))
            .collect();
        if !choices.is_empty() {
            return format!("say of what: {}", choices.join(", "));
        }
    }
    format!(
        "a time is whole numbers with the units `ms`, `s`, `m`, `h` and `d`, as in `{option} = \"30s\"` or `{option} = \"2m30s\"`"
    )
}

/// Returns whether a word is a unit of time, as in `per = minute`.
fn is_unit(word: &str) -> bool {
    word.chars().all(char::is_lowercase) && number_and_unit(word).is_some()
}

/// A time that has no unit here, or that is not whole: `2 weeks` as `14d`, `1.5h` as `90m`.
fn in_smaller_units(text: &str) -> Option<String> {
    const WEEK: u64 = 7 * 86_400_000_000;
    let text = text.trim().to_lowercase();
    let (number, unit) = split(&text, |c| c.is_ascii_digit() || c == '.');
    let unit = unit.trim();
    let micros = if ["w", "week", "weeks"].contains(&unit) {
        WEEK
    } else {
        let (_, meant) = number_and_unit(unit)?;
        let (_, micros) = UNITS.iter().find(|(name, _)| *name == meant)?;
        *micros
    };
    let (whole, fraction) = match number {
        "" => ("1", ""),
        number => number.split_once('.').unwrap_or((number, "")),
    };
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let parts: u64 = format!("{whole}{fraction}").parse().ok()?;
    let total = parts.checked_mul(micros)? / scale;
    let fits = |(_, micros): &&(&str, u64)| total > 0 && total.is_multiple_of(*micros);
    let (unit, micros) = UNITS.iter().rev().find(fits)?;
    Some(format!("{}{unit}", total / micros))
}

/// The number, which is 1 where there is none, and the unit that was probably meant.
fn number_and_unit(text: &str) -> Option<(&str, &'static str)> {
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
    let singular = unit.strip_suffix('s').filter(|word| !word.is_empty());
    let is_meant = |word: &str| word == unit || Some(word) == singular;
    let (unit, _) = WORDS
        .iter()
        .find(|(short, words)| is_meant(short) || words.iter().any(|word| is_meant(word)))?;
    Some((number, unit))
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
            let time = duration(text, &WINDOW);
            assert_eq!(time, Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn a_wrong_duration_is_mended() {
        let cases = [
            ("", "no time at all", "longer than nothing"),
            ("0s", "no time at all", "longer than nothing"),
            ("0", "no time at all", "as in `per = \"1m\"`"),
            ("60", "not a length", "`per = \"60s\"` for seconds"),
            ("1 m", "not a length", "write `per = \"1m\"`"),
            ("m", "not a length", "write `per = \"1m\"`"),
            ("minute", "not a length", "write `per = \"1m\"`"),
            ("5 minutes", "not a length", "write `per = \"5m\"`"),
            ("1M", "not a length", "write `per = \"1m\"`"),
            ("10seconds", "not a length", "write `per = \"10s\"`"),
            ("1 fortnight", "not a length", "units"),
            ("-1s", "not a length", "units"),
            ("1.5h", "not a length", "write `per = \"90m\"`"),
            ("0.5s", "not a length", "write `per = \"500ms\"`"),
            ("2 weeks", "not a length", "write `per = \"14d\"`"),
            ("week", "not a length", "write `per = \"7d\"`"),
            ("60w", "not a length", "366 days"),
            ("0.0000001s", "not a length", "units"),
            ("1..5h", "not a length", "units"),
            ("1m30", "not a length", "units"),
            ("99999999999999999999s", "too long", "366 days"),
            ("367d", "too long", "366 days"),
        ];
        for (text, problem, help) in cases {
            let (said, mended) = duration(text, &WINDOW).expect_err(text);
            assert!(said.contains(problem), "{text}: {said}");
            assert!(mended.contains(help), "{text}: {mended}");
        }
    }
    #[test]
    fn a_wait_is_mended_to_a_wait() {
        let cases = [
            ("0s", "no time at all", "as in `wait = \"500ms\"`"),
            (
                "250",
                "not a length",
                "`wait = \"250ms\"` for milliseconds, `wait = \"250s\"`",
            ),
            (
                "5000",
                "not a length",
                "say of what: `wait = \"5000ms\"` for milliseconds",
            ),
            ("2h", "too long", "`wait = \"1h\"`"),
        ];
        for (text, problem, help) in cases {
            let (said, mended) = duration(text, &WAIT).expect_err(text);
            assert!(said.contains(problem), "{text}: {said}");
            assert!(mended.contains(help), "{text}: {mended}");
        }
    }

    #[test]
    fn a_rate_is_a_number_and_a_window() {
        let cases = [
            ("60/m", Some((60, "1m"))),
            ("60 / 10 seconds", Some((60, "10s"))),
            ("5 per minute", Some((5, "1m"))),
            ("0/m", None),
            ("10r/s", Some((10, "1s"))),
            ("60 r/m", Some((60, "1m"))),
            ("60 requests per minute", Some((60, "1m"))),
            ("60 Requests/Minute", Some((60, "1m"))),
            ("60 req/10s", Some((60, "10s"))),
            ("60 a minute", Some((60, "1m"))),
            ("60 every 5 minutes", Some((60, "5m"))),
            ("60 calls in 1h", Some((60, "1h"))),
            ("1_000/hour", Some((1000, "1h"))),
            ("60rpm", Some((60, "1m"))),
            ("10 rps", Some((10, "1s"))),
            ("60/fortnight", None),
            ("60 apples per minute", None),
            ("60/", None),
            ("/minute", None),
            ("60", None),
            ("a minute", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(number, window)| (number, window.to_owned()));
            assert_eq!(rate(text), expected, "{text}");
        }
    }
}
