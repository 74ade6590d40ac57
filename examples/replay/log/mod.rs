//! A line of a log: who asked for what, and when.

mod common;
mod json;

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use jiff::{Timestamp, fmt::strtime};

/// What a line says of a request.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry<'a> {
    /// In microseconds since 1970.
    pub(crate) at: u64,
    pub(crate) client: IpAddr,
    /// Lines of JSON need not have one.
    pub(crate) path: Option<Cow<'a, str>>,
    /// Only lines of JSON have one.
    pub(crate) tier: Option<String>,
}

/// Reads a line in the format that it has: common, combined, or JSON.
///
/// # Errors
///
/// It tells of no request; what is wrong with it.
pub(crate) fn entry(line: &str) -> Result<Entry<'_>, String> {
    if line.starts_with('{') {
        json::entry(line)
    } else {
        common::entry(line)
    }
}

/// `203.0.113.7`, `203.0.113.7:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let socket = |_| text.parse().map(|socket: SocketAddr| socket.ip());
    text.parse().or_else(socket).ok()
}

/// `17/May/2015:10:05:03 +0000`
fn date(text: &str) -> Option<Timestamp> {
    let parsed = strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).ok()?;
    parsed.to_timestamp().ok()
}

fn micros(time: Timestamp) -> Result<u64, String> {
    u64::try_from(time.as_microsecond()).map_err(|_| format!("its time {time} is before 1970"))
}

/// The path of what was asked for, be it `/path`, `https://host/path` or `GET /path HTTP/1.1`.
fn path(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    let mut words = target.split_ascii_whitespace();
    let first = words.next()?;
    let target = words.next().unwrap_or(first);
    match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            Some(rest.find('/').map_or("/", |at| &rest[at..]))
        }
        _ => Some(target),
    }
}

/// The beginning of what a log says, fit to be shown: it may hold anything.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 40;
    let text = text.trim();
    let mut shown = String::new();
    for c in text.chars().take(LONGEST) {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_in_whatever_was_asked_for() {
        let cases = [
            ("/a?b=c", "/a?b=c"),
            ("/a b", "/a b"),
            ("GET /a HTTP/1.1", "/a"),
            ("https://example.com/a", "/a"),
            ("https://example.com", "/"),
            (
                "/to?url=http://example.com/b",
                "/to?url=http://example.com/b",
            ),
        ];
        for (target, expected) in cases {
            assert_eq!(path(target), Some(expected), "{target}");
        }
        assert_eq!(path(""), None);
    }

    #[test]
    fn an_excerpt_is_short_and_moves_no_cursor() {
        assert_eq!(excerpt("\u{1b}[2J\"x\""), "\\u{1b}[2J\"x\"");
        assert_eq!(excerpt(&"ä".repeat(41)), format!("{}…", "ä".repeat(40)));
    }
}
