//! `Forwarded` by the grammar of [RFC 7239, section 4], from the right.
//!
//! ```text
//! Forwarded         = 1#forwarded-element
//! forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
//! forwarded-pair    = token "=" ( token / quoted-string )
//! ```
//!
//! A line of the header is divided from its end: a comma outside of quotes is the border of an element.
//! From the right, the first quote ends a quoted string, and the next one that is not escaped begins
//! it. Within a string each backslash escapes the character after it, so a quote is escaped if an odd
//! number of backslashes comes before it; before the quote that begins a string comes `=`. Thus a
//! well-formed element is found whatever is to its left, and then it is read as a whole from its
//! beginning. Nothing in an element that is not well-formed is believed.
//!
//! An element lies within one line: lines could be joined, but no proxy divides its element, and a
//! quote that is open at the end of a client's line must not reach into the next.
//!
//! White space around `;` is not in the grammar and is permitted here, since it changes no borders.
//!
//! [RFC 7239, section 4]: https://www.rfc-editor.org/rfc/rfc7239#section-4

use http::{HeaderMap, header::FORWARDED};
use smallvec::SmallVec;

use super::{Entry, forwarded_header::lines_from_the_last, node};

/// How many parameters an element may have. There are four, and perhaps a few of a proxy's own.
const PARAMETERS_MAX: usize = 16;

/// Returns the elements of the header, the last first. After one that is malformed there is none, as
/// it is not certain where it begins.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Entry> {
    lines_from_the_last(headers, &FORWARDED)
        .flat_map(|line| Elements { rest: Some(line) })
        .map(|element| element.and_then(read).unwrap_or(Entry::Malformed))
}

/// The elements of a line, the last first, without empty ones; `None` if an element has no beginning.
struct Elements<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.rest?;
            let Some(begin) = last_element(line) else {
                self.rest = None;
                return Some(None);
            };
            // Before it is a comma.
            self.rest = begin.checked_sub(1).map(|comma| &line[..comma]);
            let element = line[begin..].trim_ascii();
            if !element.is_empty() {
                return Some(Some(element));
            }
        }
    }
}

/// Returns where the last element of a line begins; `None` if that is within a quoted string without a
/// beginning. It looks at each byte once, or twice if it is a backslash.
fn last_element(line: &[u8]) -> Option<usize> {
    let mut end = line.len();
    while let Some(at) = end.checked_sub(1) {
        end = match line[at] {
            b',' => return Some(end),
            b'"' => opening_quote(&line[..at])?,
            _ => at,
        };
    }
    Some(0)
}

/// Returns the place of the last quote that is not escaped.
fn opening_quote(text: &[u8]) -> Option<usize> {
    let mut text = text;
    loop {
        let quote = text.iter().rposition(|byte| *byte == b'"')?;
        text = &text[..quote];
        let backslashes = text.iter().rev().take_while(|byte| **byte == b'\\');
        if backslashes.count() % 2 == 0 {
            return Some(quote);
        }
    }
}

/// Reads an element; `None` if it is not well-formed. Without `for` it hides whom the proxy was called
/// by. A parameter must not occur twice.
fn read(element: &[u8]) -> Option<Entry> {
    let mut names = SmallVec::<[&[u8]; 4]>::new();
    let mut entry = Entry::Hidden;
    for pair in (Pairs { rest: element }) {
        let (name, value) = pair?;
        let is_repeated = names.iter().any(|other| other.eq_ignore_ascii_case(name));
        if is_repeated || names.len() == PARAMETERS_MAX {
            return None;
        }
        names.push(name);
        if name.eq_ignore_ascii_case(b"for") {
            entry = value.read_node();
        }
    }
    Some(entry)
}

/// The pairs of an element; `None` for what is not a pair, after which there may be anything.
struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Option<(&'a [u8], Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [b';' | b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
        (!self.rest.is_empty()).then(|| self.pair())
    }
}

impl<'a> Pairs<'a> {
    fn pair(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let (name, rest) = token(self.rest)?;
        let rest = rest.strip_prefix(b"=")?;
        let (value, rest) = match rest {
            [b'"', rest @ ..] => quoted_string(rest)?,
            _ => token(rest).map(|(token, rest)| (Value::Token(token), rest))?,
        };
        self.rest = rest.trim_ascii_start();
        matches!(self.rest, [] | [b';', ..]).then_some((name, value))
    }
}

/// A parameter's value, without its quotes.
enum Value<'a> {
    Token(&'a [u8]),
    Quoted(&'a [u8]),
}

impl Value<'_> {
    fn read_node(self) -> Entry {
        match self {
            Self::Token(text) => node::strict(text),
            Self::Quoted(text) if !text.contains(&b'\\') => node::strict(text),
            Self::Quoted(text) => {
                let mut bytes = text.iter();
                let mut unescaped = Vec::new();
                while let Some(byte) = bytes.next() {
                    let escaped = if *byte == b'\\' { bytes.next() } else { None };
                    unescaped.push(*escaped.unwrap_or(byte));
                }
                node::strict(&unescaped)
            }
        }
    }
}

/// Divides a text after the token at its beginning ([RFC 9110, section 5.6.2]).
///
/// [RFC 9110, section 5.6.2]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_in_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let length = text.iter().take_while(|byte| is_in_token(byte)).count();
    (length > 0).then(|| text.split_at(length))
}

/// Divides a text after the quoted string whose first quote is before it ([RFC 9110, section 5.6.4]).
///
/// [RFC 9110, section 5.6.4]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4
fn quoted_string(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'"' => return Some((Value::Quoted(&text[..at]), &text[at + 1..])),
            b'\\' if text.get(at + 1).is_some_and(|byte| is_text(*byte)) => at += 2,
            byte if byte != b'\\' && is_text(byte) => at += 1,
            _ => return None,
        }
    }
}
