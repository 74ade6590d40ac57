//! The words, quoted texts and bracketed texts of a line.

/// A part of a line, without its quotes or brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Quoted(&'a str),
    Bracketed(&'a str),
}

/// The tokens of a line, split at white space outside of quotes and brackets.
#[derive(Clone)]
pub(super) struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self(line)
    }

    /// Returns the rest of the line, without white space around it.
    pub(super) fn rest(&self) -> &'a str {
        self.0.trim_ascii()
    }

    /// Splits off the first `length` bytes of the token, and one more that ends it.
    fn split(&mut self, length: usize) -> &'a str {
        let (token, rest) = self.0.split_at(length);
        self.0 = rest.get(1..).unwrap_or_default();
        token
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.0 = self.0.trim_ascii_start();
        match self.0.as_bytes().first()? {
            b'"' => {
                if let Some(end) = closing_quote(&self.0[1..]) {
                    self.0 = &self.0[1..];
                    return Some(Token::Quoted(self.split(end)));
                }
            }
            b'[' => {
                if let Some(end) = closing_bracket(&self.0[1..]) {
                    self.0 = &self.0[1..];
                    return Some(Token::Bracketed(self.split(end)));
                }
            }
            _ => {}
        }
        let end = self.0.find([' ', '\t']).unwrap_or(self.0.len());
        Some(Token::Word(self.split(end)))
    }
}

/// Finds the quote that ends a text. A quote after a backslash does not: Apache writes quotes in a text as
/// `\"`, nginx as `\x22`.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// Finds the bracket that ends a text. Returns `None` if the text has another bracket in it, as after a
/// user's name that begins with one, or goes on after the bracket, as an IPv6 address with a port does.
fn closing_bracket(text: &str) -> Option<usize> {
    let end = text.find(['[', ']'])?;
    let ends = matches!(
        text.as_bytes()[end..],
        [b']'] | [b']', b' ' | b'\t' | b'"', ..]
    );
    ends.then_some(end)
}

#[cfg(test)]
mod tests {
    use super::{Token::*, *};

    #[test]
    fn quotes_and_brackets_hold_white_space() {
        let cases: [(&str, &[Token<'_>]); 6] = [
            ("", &[]),
            ("  a \t b ", &[Word("a"), Word("b")]),
            (
                r#"a "b \" c \\" "" d"#,
                &[Word("a"), Quoted(r#"b \" c \\"#), Quoted(""), Word("d")],
            ),
            ("[a b] [c", &[Bracketed("a b"), Word("[c")]),
            (
                "[a [b c] [::1]:80 d",
                &[Word("[a"), Bracketed("b c"), Word("[::1]:80"), Word("d")],
            ),
            (r#"ä"b c" "ö"#, &[Word("ä\"b"), Word("c\""), Word("\"ö")]),
        ];
        for (line, expected) in cases {
            let tokens: Vec<_> = Tokens::new(line).collect();
            assert_eq!(tokens, expected, "{line}");
        }
    }
}
