//! Lines of access logs, in the formats that servers, proxies and load balancers write: who asked for
//! what, and when.
//!
//! A line is read by itself, so that logs of several formats may be mixed. Only the columns of the
//! W3C's format are declared by a line before.

mod alb;
mod client;
mod common;
mod json;
mod prefix;
mod time;
mod token;
mod w3c;

use std::borrow::Cow;

use clap::{ValueEnum, builder::PossibleValue};
use jiff::Timestamp;

pub(crate) use self::{
    client::{Client, Network, TrustedNetworks},
    time::Zone,
};

/// The formats that are known, as a sentence for errors.
pub(crate) const KNOWN: &str = "common and combined (Apache, nginx, ingress-nginx, Traefik, HAProxy, Envoy), JSON with the usual names (Caddy, Traefik, nginx, Envoy, ECS, GCP), AWS load balancers, and the W3C extended format (CloudFront, IIS)";

/// The most records of collectors that a line may be wrapped in.
const MAX_WRAPPERS: u32 = 2;

/// A request, as a line has it.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry<'a> {
    /// In microseconds since 1970.
    pub(crate) at: u64,
    pub(crate) client: Client,
    /// Lines of JSON need not have one.
    pub(crate) path: Option<Cow<'a, str>>,
    /// Only lines of JSON have one.
    pub(crate) tier: Option<String>,
}

/// A reason why a line gives no request. The texts say what was expected.
#[derive(Debug, PartialEq)]
pub(crate) enum Problem {
    /// The line has none of the known formats.
    Unreadable(String),
    /// The line is read, and is about a connection on which no valid request was sent.
    NoRequest(String),
}

impl Problem {
    fn unreadable(text: impl Into<String>) -> Self {
        Self::Unreadable(text.into())
    }
}

/// A format of access logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    #[default]
    Auto,
    Common,
    Json,
    Alb,
    W3c,
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Common, Self::Json, Self::Alb, Self::W3c]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, aliases): (_, &[&str]) = match self {
            Self::Auto => ("auto", &[]),
            Self::Common => (
                "common",
                &[
                    "combined",
                    "apache",
                    "vhost_combined",
                    "nginx",
                    "ingress-nginx",
                    "traefik",
                    "haproxy",
                    "envoy",
                ],
            ),
            Self::Json => ("json", &["caddy", "traefik-json", "ecs", "gcp"]),
            Self::Alb => ("alb", &["elb"]),
            Self::W3c => ("cloudfront", &["w3c", "iis"]),
        };
        Some(PossibleValue::new(name).aliases(aliases))
    }
}

/// The settings for reading lines.
pub(crate) struct Settings {
    pub(crate) format: Format,
    pub(crate) trusted: TrustedNetworks,
    /// The zone of times that are written without one.
    pub(crate) zone: Zone,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: Format::default(),
            trusted: TrustedNetworks::new(&[]),
            zone: Zone::default(),
        }
    }
}

/// A parser of the lines of one log.
pub(crate) struct Parser<'s> {
    settings: &'s Settings,
    columns: Option<w3c::Columns>,
}

impl<'s> Parser<'s> {
    pub(crate) fn new(settings: &'s Settings) -> Self {
        Self {
            settings,
            columns: None,
        }
    }

    /// Reads a line. Returns `None` for a line that says nothing of a request of its own, such as a
    /// header.
    ///
    /// # Errors
    ///
    /// Returns an error if the line gives no request.
    pub(crate) fn parse<'a>(&mut self, line: &'a str) -> Result<Option<Entry<'a>>, Problem> {
        // After `copytruncate` of logrotate a log may begin with a hole.
        let line = line.trim_start_matches('\0').trim();
        let reads_columns = matches!(self.settings.format, Format::Auto | Format::W3c);
        if line.is_empty() || reads_columns && w3c::directive(line, &mut self.columns).is_some() {
            return Ok(None);
        }
        self.entry(line, None, 0)
    }

    fn entry<'a>(
        &self,
        line: &'a str,
        prefixed: Option<Timestamp>,
        wrappers: u32,
    ) -> Result<Option<Entry<'a>>, Problem> {
        let settings = self.settings;
        let (line, time, format) = if let Some(format) = self.format(line) {
            (line, prefixed, format)
        } else {
            let (rest, time) = prefix::strip(line, &settings.zone);
            let format = self.format(rest).unwrap_or(settings.format);
            (rest, time.or(prefixed), format)
        };
        match format {
            Format::Json => match json::line(line, time, settings)? {
                json::Line::Request(entry) => Ok(Some(entry)),
                json::Line::Repeated => Ok(None),
                json::Line::Wrapped(lines, time) => self.wrapped(&lines, time, wrappers),
            },
            Format::Alb => alb::entry(line, settings).map(Some),
            Format::W3c => {
                let columns = self
                    .columns
                    .clone()
                    .unwrap_or_else(w3c::Columns::cloudfront);
                w3c::entry(line, &columns, settings).map(Some)
            }
            Format::Auto | Format::Common => common::entry(line, time, settings).map(Some),
        }
    }

    /// Returns the format that a line certainly has, if it is allowed to have that one.
    fn format(&self, line: &str) -> Option<Format> {
        let has_columns = || match &self.columns {
            Some(columns) => columns.fit(line),
            None => w3c::is_cloudfront(line),
        };
        let format = if line.starts_with('{') {
            Format::Json
        } else if alb::is_line(line) {
            Format::Alb
        } else if has_columns() {
            Format::W3c
        } else {
            return None;
        };
        let allowed = self.settings.format;
        (allowed == Format::Auto || allowed == format).then_some(format)
    }

    /// Reads what a collector has put into a record of its own.
    fn wrapped(
        &self,
        lines: &[String],
        time: Option<Timestamp>,
        wrappers: u32,
    ) -> Result<Option<Entry<'static>>, Problem> {
        let mut problem = Problem::unreadable(
            "expected the client's IP address, named client_ip, remote_addr or the like, or a line of an access log in log or message",
        );
        if wrappers == MAX_WRAPPERS {
            return Err(problem);
        }
        for line in lines {
            match self.entry(line.trim(), time, wrappers + 1) {
                Ok(Some(entry)) => {
                    return Ok(Some(Entry {
                        at: entry.at,
                        client: entry.client,
                        path: entry.path.map(|path| Cow::Owned(path.into_owned())),
                        tier: entry.tier,
                    }));
                }
                Ok(None) => return Ok(None),
                Err(found @ Problem::NoRequest(_)) => problem = found,
                Err(Problem::Unreadable(_)) => {}
            }
        }
        Err(problem)
    }
}

fn micros(time: Timestamp) -> Result<u64, Problem> {
    u64::try_from(time.as_microsecond()).map_err(|_| {
        Problem::unreadable(format!(
            "expected a time that is not before 1970, and not {time}"
        ))
    })
}

/// Returns the path of a request line such as `GET /path HTTP/1.1`.
fn requested(line: &str) -> Result<&str, Problem> {
    let mut words = line.split_ascii_whitespace();
    let is_method = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
    };
    let (method, target) = (words.next(), words.next());
    if method.is_some_and(is_method)
        && target.is_some()
        && let Some(path) = path(line)
    {
        return Ok(path);
    }
    Err(Problem::NoRequest(format!(
        "expected a request such as \"GET /path HTTP/1.1\", and not \"{}\"",
        excerpt(line, 40)
    )))
}

/// Returns the path of a target, be it `/path`, `https://host/path` or `GET /path HTTP/1.1`.
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

/// Returns the beginning of what a log says, fit to be shown: it may hold anything.
pub(crate) fn excerpt(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    let mut length = 0;
    for c in text.trim().chars() {
        let escaped = match c {
            '"' | '\'' | '\\' => c.to_string(),
            _ => c.escape_debug().to_string(),
        };
        length += escaped.chars().count();
        if length > longest {
            shown.push('…');
            break;
        }
        shown.push_str(&escaped);
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

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
        assert_eq!(
            excerpt("\u{1b}[2J\"x\"\u{202e}", 40),
            "\\u{1b}[2J\"x\"\\u{202e}"
        );
        assert_eq!(excerpt(&"ä".repeat(41), 40), format!("{}…", "ä".repeat(40)));
        assert_eq!(
            excerpt(&"\0".repeat(41), 40),
            format!("{}…", "\\0".repeat(20))
        );
    }

    #[test]
    fn lines_of_collectors_are_read_as_what_they_hold() {
        let inner = r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512"#;
        let quoted = serde_json::to_string(&format!("{inner}\n")).expect("a text");
        let docker =
            format!(r#"{{"log":{quoted},"stream":"stdout","time":"2015-05-17T10:05:04.5Z"}}"#);
        let twice = serde_json::to_string(&docker).expect("a text");
        let json = r#"{"remote_addr":"203.0.113.7","uri":"/a"}"#;
        let lines = [
            inner.to_owned(),
            docker,
            format!(r#"{{"log":{twice},"stream":"stdout"}}"#),
            format!(r#"{{"MESSAGE":{quoted},"_HOSTNAME":"web-1"}}"#),
            format!("2015-05-17T10:05:03.000000001Z stdout F {json}"),
            format!("<190>1 2015-05-17T10:05:03Z web-1 app 77 - - {json}"),
        ];
        let settings = Settings::default();
        for line in lines {
            let entry = Parser::new(&settings)
                .parse(&line)
                .expect(&line)
                .expect(&line);
            assert_eq!(entry.at, 1_431_857_103_000_000, "{line}");
            assert_eq!(entry.client.address.to_string(), "203.0.113.7", "{line}");
            assert_eq!(entry.path.as_deref(), Some("/a"), "{line}");
        }
    }

    #[test]
    fn a_format_that_is_forced_is_the_only_one() {
        let lines = [
            (
                Format::Common,
                r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
            ),
            (Format::Json, r#"{"ts":1431857103,"ip":"203.0.113.7"}"#),
            (
                Format::Alb,
                r#"http 2015-05-17T10:05:03.000000Z app/x 203.0.113.7:4711 - -1 -1 -1 503 - 0 0 "GET http://example.com:80/ HTTP/1.1" "-""#,
            ),
            (
                Format::W3c,
                "2015-05-17\t10:05:03\tFRA2\t512\t203.0.113.7\tGET",
            ),
        ];
        for format in Format::value_variants() {
            let settings = Settings {
                format: *format,
                ..Settings::default()
            };
            for (of, line) in lines {
                let read = Parser::new(&settings).parse(line);
                let expected = *format == Format::Auto || *format == of;
                assert_eq!(
                    matches!(read, Ok(Some(_))),
                    expected,
                    "{format:?} {line} {read:?}"
                );
            }
        }
    }

    #[test]
    fn deep_and_wide_lines_are_bounded_work() {
        let lines = [
            format!(r#"{{"a":{}"#, "[".repeat(500_000)),
            format!(r#"{{"request":{}1"#, r#"{"request":"#.repeat(50_000)),
            format!("{{{}\"b\":1}}", r#""a":{},"#.repeat(100_000)),
            "[".repeat(1_000_000),
            "\"".repeat(1_000_000),
            "<1>".repeat(300_000),
            "1.2.3.4,".repeat(100_000),
            "1.2.3.4 ".repeat(100_000),
            "#Fields: ".repeat(100_000),
            "a\t".repeat(500_000),
        ];
        let settings = Settings::default();
        for line in lines {
            let parsed = Parser::new(&settings).parse(&line);
            assert!(!matches!(parsed, Ok(Some(_))), "{}", excerpt(&line, 40));
        }
    }

    /// Lines of anything, and of pieces of what the formats have.
    fn lines() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<String>(),
            prop::sample::select(vec![
                " ",
                "\t",
                "\"",
                "\\",
                "[",
                "]",
                "{",
                "}",
                ":",
                ",",
                "- ",
                "<190>",
                "1 ",
                "#Fields: ",
                "203.0.113.7",
                "[::1]:80",
                "17/May/2015:10:05:03 +0000",
                "2015-05-17T10:05:03Z ",
                "2015-05-17\t10:05:03",
                "GET / HTTP/1.1",
                "https ",
                "May 17 10:05:03 ",
                "stdout F ",
                "nginx: ",
                "[pod/",
                "\"time\":",
                "\"ip\":",
                "1431857103",
                "\"log\":\"",
                "ä",
                "%25%",
                "| ",
                "date time c-ip",
                "9999-12-31T23:59:59Z",
                "-009999-01-01T00:00:00Z",
            ])
            .prop_map(str::to_owned),
        ];
        vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_line_makes_a_parser_panic(lines in vec(lines(), 1..6)) {
            for format in Format::value_variants() {
                let settings = Settings { format: *format, ..Settings::default() };
                let mut parser = Parser::new(&settings);
                for line in &lines {
                    match parser.parse(line) {
                        Ok(_) => {}
                        Err(Problem::Unreadable(problem) | Problem::NoRequest(problem)) => {
                            prop_assert!(!problem.chars().any(char::is_control), "{problem}");
                        }
                    }
                }
            }
        }

        #[test]
        fn a_line_that_is_cut_or_changed_makes_no_parser_panic(cut in 0_usize..400, byte: u8, log in 0_usize..4) {
            let lines = [
                r#"<190>1 2015-05-17T10:05:03Z web nginx 77 - [a b="c"] 203.0.113.7, 10.0.0.2 - ann [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512 "-" "curl" "203.0.113.7""#,
                r#"{"log":"{\"ts\":1431857103.5,\"request\":{\"remote_ip\":\"203.0.113.7\",\"uri\":\"/a\"}}","time":"2015-05-17T10:05:03Z"}"#,
                r#"h2 2015-05-17T10:05:03.250000Z app/my-lb/50 [2001:db8::1]:4711 10.0.0.9:80 0.000 0.001 0.000 200 200 34 366 "GET https://a.example:443/a HTTP/2.0" "curl/8.5""#,
                "2015-05-17\t10:05:03\tFRA2\t512\t203.0.113.7\tGET\td111\t/a\t200\t-\tcurl\tq=1\t-\tHit\tabc=\tx\thttps\t23\t0.001\t203.0.113.7%2C%2010.0.0.1\tTLS",
            ];
            let mut bytes = lines[log].as_bytes().to_vec();
            let place = cut % bytes.len();
            bytes[place] = byte;
            let settings = Settings::default();
            for bytes in [&bytes[..], &bytes[..place], &bytes[place..]] {
                let _ = Parser::new(&settings).parse(&String::from_utf8_lossy(bytes));
            }
        }
    }
}
