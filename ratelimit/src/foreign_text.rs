//! Text that the program did not write, as it is shown in log lines and errors.

use std::{
    error::Error,
    fmt::{self, Write},
};

/// How many characters of foreign text are shown.
const LENGTH_MAX: usize = 200;

/// The end of a text that was cut.
const CUT: char = '…';

/// A text from outside of the program: an error message of a server, a value from a store, a part of a
/// request.
///
/// It is displayed on one line, with at most 200 characters. Line breaks, control characters and
/// characters that are invisible or change the direction of writing are escaped as in Rust (`\n`,
/// `\u{202e}`).
///
/// In a log line, pass it as a string, which a subscriber quotes:
/// `tracing::warn!(reason = ForeignText(&reason).to_string(), "…")`.
pub(crate) struct ForeignText<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for ForeignText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Shown {
            text: String::new(),
            left: LENGTH_MAX,
        };
        let is_whole = write!(shown, "{}", self.0).is_ok();
        f.write_str(&shown.text)?;
        if is_whole {
            return Ok(());
        }
        f.write_char(CUT)
    }
}

/// The beginning of a text, escaped. Writing more than there is room for is an error.
struct Shown {
    text: String,
    /// How many characters there is room for, with the one that says that there would be more.
    left: usize,
}

impl Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.write_char(character)?;
        }
        Ok(())
    }

    fn write_char(&mut self, character: char) -> fmt::Result {
        let before = self.text.len();
        let length = if is_plain(character) {
            self.text.push(character);
            1
        } else {
            escape(character, &mut self.text)
        };
        if length >= self.left {
            self.text.truncate(before);
            return Err(fmt::Error);
        }
        self.left -= length;
        Ok(())
    }
}

/// Returns whether a character is shown as it is without a look at the tables. `str::escape_debug`
/// would escape quotes and backslashes as well.
fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~')
}

/// Appends a character, escaped unless it is printable, and returns how many characters that are.
fn escape(character: char, text: &mut String) -> usize {
    // Behind another character: a combining mark is escaped at the beginning of a text only.
    let marked = String::from_iter(['x', character]);
    let before = text.len();
    text.extend(marked.escape_debug().skip(1));
    text[before..].chars().count()
}

/// An error message of this crate, whose foreign parts are [`ForeignText`]: it is shown in full.
#[derive(Debug)]
pub(crate) struct Explanation(pub(crate) String);

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Explanation {}

/// The reason of an error that the application or a server gave, or an [`Explanation`].
pub(crate) struct Reason<'a>(pub(crate) &'a (dyn Error + Send + Sync + 'static));

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.downcast_ref::<Explanation>() {
            Some(explanation) => explanation.fmt(f),
            None => ForeignText(self.0).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        ForeignText(text).to_string()
    }

    #[test]
    fn what_would_break_or_change_a_line_is_escaped_and_the_rest_is_not() {
        for (text, expected) in [
            ("", ""),
            (r#"it's "fine", C:\temp {}"#, r#"it's "fine", C:\temp {}"#),
            ("à e\u{301} ไทย हिन्दी 漢 🎉", "à e\u{301} ไทย हिन्दी 漢 🎉"),
            ("a\nb\r\nc\td\0", r"a\nb\r\nc\td\0"),
            ("\u{1b}[31mred", r"\u{1b}[31mred"),
            ("\u{7f}\u{85}\u{9b}", r"\u{7f}\u{85}\u{9b}"),
            ("a\u{2028}b\u{2029}c", r"a\u{2028}b\u{2029}c"),
            ("\u{202e}evil\u{2066}", r"\u{202e}evil\u{2066}"),
            ("\u{200b}\u{feff}\u{e0041}", r"\u{200b}\u{feff}\u{e0041}"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn it_is_200_characters_long_at_most_also_when_they_are_escaped() {
        let whole = "ä".repeat(LENGTH_MAX - 1);
        assert_eq!(shown(&whole), whole);
        for long in ["ä", "\n", "\u{10ffff}", "a\u{202e}"] {
            let text = shown(&long.repeat(1_000_000));
            let length = text.chars().count();
            assert!((LENGTH_MAX - 10..=LENGTH_MAX).contains(&length), "{length}");
            assert!(text.ends_with(CUT), "{text}");
        }
    }

    #[test]
    fn an_explanation_is_shown_in_full_and_any_other_reason_is_not() {
        let long = "why\n".repeat(100);
        let explained: Box<dyn Error + Send + Sync> = Box::new(Explanation(long.clone()));
        assert_eq!(Reason(&*explained).to_string(), long);
        let foreign: Box<dyn Error + Send + Sync> = long.into();
        assert!(Reason(&*foreign).to_string().chars().count() <= LENGTH_MAX);
    }
}
