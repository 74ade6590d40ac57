//! What log collectors write before the lines of a program: syslog, `docker logs -t`, Docker Compose,
//! and the runtimes of Kubernetes.

use jiff::Timestamp;

use super::{
    client::address,
    time::{Zone, date},
};

/// The names of months in RFC 3164.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The most collectors that a line may have passed.
const MAX_PREFIXES: usize = 4;

/// Returns a line without the prefixes of collectors, and the time of the last one that has a full
/// date.
pub(super) fn strip<'a>(line: &'a str, zone: &Zone) -> (&'a str, Option<Timestamp>) {
    let mut rest = line;
    let mut time = None;
    for _ in 0..MAX_PREFIXES {
        let Some((after, at)) = one(rest, zone) else {
            break;
        };
        rest = after.trim_ascii_start();
        time = at.or(time);
    }
    (rest, time)
}

type Stripped<'a> = Option<(&'a str, Option<Timestamp>)>;

fn one<'a>(line: &'a str, zone: &Zone) -> Stripped<'a> {
    match line.as_bytes().first()? {
        b'<' => syslog(line, zone),
        b'[' => pod(line),
        b'0'..=b'9' => console(line, zone)
            .or_else(|| stamped(line, zone))
            .or_else(|| compose(line)),
        _ => rfc3164(line).or_else(|| compose(line)),
    }
}

/// Strips `<190>1 2015-05-17T10:05:03Z host app 77 - - `, [RFC 5424], or `<190>May 17 10:05:03 host app: `,
/// [RFC 3164].
///
/// [RFC 5424]: https://www.rfc-editor.org/rfc/rfc5424
/// [RFC 3164]: https://www.rfc-editor.org/rfc/rfc3164
fn syslog<'a>(line: &'a str, zone: &Zone) -> Stripped<'a> {
    let (priority, rest) = line.strip_prefix('<')?.split_once('>')?;
    priority.parse::<u8>().ok()?;
    let Some(versioned) = rest.strip_prefix("1 ") else {
        return rfc3164(rest)
            .or_else(|| stamped(rest, zone))
            .or(Some((rest, None)));
    };
    // The time, the host, the application, the process, and the kind of the message.
    let mut fields = versioned.splitn(6, ' ');
    let time = date(fields.next()?, zone);
    let rest = fields.nth(4)?;
    let message = structured_data(rest)?;
    Some((message.trim_start_matches('\u{feff}'), time))
}

/// Strips `-`, or elements such as `[id name="value"]`, in whose values a backslash escapes.
fn structured_data(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('-') {
        return rest.strip_prefix(' ');
    }
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b']' if !is_quoted && text[place + 1..].starts_with(' ') => {
                return Some(&text[place + 2..]);
            }
            _ => {}
        }
    }
    None
}

/// Strips `May 17 10:05:03 host app[77]: `, of which `journalctl` may write microseconds. Its time has no
/// year.
fn rfc3164(line: &str) -> Stripped<'_> {
    let stamp = line.as_bytes().get(..15)?;
    let is_stamp = matches!(
        stamp,
        [_, _, _, b' ', _, _, b' ', _, _, b':', _, _, b':', _, _]
    ) && MONTHS.iter().any(|month| line.starts_with(month));
    let (fraction, rest) = line.get(15..).filter(|_| is_stamp)?.split_once(' ')?;
    let is_fraction = fraction.is_empty() || fraction.starts_with('.');
    Some((tag(rest).filter(|_| is_fraction)?, None))
}

/// Strips what Caddy writes before its fields on a terminal: a time, a level, a logger and a message.
fn console<'a>(line: &'a str, zone: &Zone) -> Stripped<'a> {
    let (stamp, rest) = line.split_at(line.find('\t')?);
    let fields = rest.find("\t{")? + 1;
    Some((&rest[fields..], Some(date(stamp, zone)?)))
}

/// Strips `2015-05-17T10:05:03Z `, and after it what container runtimes and syslog daemons add.
fn stamped<'a>(line: &'a str, zone: &Zone) -> Stripped<'a> {
    let (stamp, rest) = line.split_once(' ')?;
    let time = date(stamp, zone)?;
    let streams = ["stdout F ", "stderr F ", "stdout P ", "stderr P "];
    let stream = streams.iter().find_map(|stream| rest.strip_prefix(stream));
    Some((stream.or_else(|| tag(rest)).unwrap_or(rest), Some(time)))
}

/// Strips `host app[77]: ` or `app[77]: `, of which JSON is neither.
fn tag(text: &str) -> Option<&str> {
    let (first, rest) = text.split_once(' ')?;
    if first.starts_with('{') {
        return None;
    }
    let is_tag =
        |word: &str| word.ends_with(':') && !word.starts_with('{') && address(word).is_none();
    if is_tag(first) {
        return Some(rest);
    }
    let (second, rest) = rest.split_once(' ')?;
    is_tag(second).then_some(rest)
}

/// Strips `[pod/name/container] `, as `kubectl logs --prefix` writes it.
fn pod(line: &str) -> Stripped<'_> {
    let (_, rest) = line.strip_prefix("[pod/")?.split_once("] ")?;
    Some((rest, None))
}

/// Strips `service-1  | `, as Docker Compose writes it.
fn compose(line: &str) -> Stripped<'_> {
    let (service, rest) = line.split_once(' ')?;
    let rest = rest.trim_ascii_start().strip_prefix("| ")?;
    (service != "-" && address(service).is_none()).then_some((rest, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_collectors_write_is_stripped() {
        let prefixes = [
            ("", false),
            ("<190>May 17 10:05:03 web-1 nginx: ", false),
            ("<190>May  7 10:05:03 nginx[77]: ", false),
            ("May 17 10:05:03 web-1 haproxy[14389]: ", false),
            ("May 17 10:05:03.250000 web-1 caddy[77]: ", false),
            ("<190>1 2015-05-17T10:05:03.25Z web-1 nginx 77 - - ", true),
            (
                r#"<190>1 2015-05-17T12:05:03.25+02:00 web-1 nginx 77 ID47 [a@1 b="\"] c" d="e"][f@1] "#,
                true,
            ),
            (
                "<190>1 2015-05-17T10:05:03.25Z web-1 nginx - - - \u{feff}",
                true,
            ),
            ("<190>1 - web-1 nginx - - - ", false),
            ("<190>2015-05-17T10:05:03.25Z web-1 nginx: ", true),
            ("2015-05-17T10:05:03.25+00:00 web-1 nginx[77]: ", true),
            ("2015-05-17T12:05:03.25+0200 web-1 nginx[77]: ", true),
            ("2015-05-17T10:05:03.250000000Z ", true),
            ("2015-05-17T10:05:03.250000000Z stdout F ", true),
            ("web-1  | ", false),
            ("web-1  | 2015-05-17T10:05:03.250000000Z ", true),
            ("[pod/web-5d78-x7k2p/nginx] ", false),
            (
                "[pod/web-5d78-x7k2p/nginx] 2015-05-17T10:05:03.250000000Z ",
                true,
            ),
        ];
        let lines = [
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
            r#"2001:db8:: - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
            r#"{"ip":"203.0.113.7"}"#,
            r#"{"ip": "203.0.113.7", "path": "/a"}"#,
        ];
        for (prefix, has_time) in prefixes {
            for line in lines {
                let whole = format!("{prefix}{line}");
                let (rest, time) = strip(&whole, &Zone::default());
                assert_eq!(rest, line, "{prefix}");
                let time = time.map(Timestamp::as_microsecond);
                assert_eq!(time, has_time.then_some(1_431_857_103_250_000), "{prefix}");
            }
        }
    }

    #[test]
    fn what_caddy_writes_on_a_terminal_is_stripped() {
        let fields = r#"{"request": {"remote_ip": "203.0.113.7", "uri": "/a\\t{"}}"#;
        let line =
            format!("2015/05/17 10:05:03.250\tINFO\thttp.log.access\thandled request\t{fields}");
        let (rest, time) = strip(&line, &Zone::default());
        assert_eq!(rest, fields);
        assert_eq!(
            time.map(Timestamp::as_microsecond),
            Some(1_431_857_103_250_000)
        );
    }

    #[test]
    fn lines_without_a_prefix_stay_as_they_are() {
        let lines = [
            r#"203.0.113.7 | - | [17/May/2015:10:05:03 +0000] | "GET / HTTP/1.1" | 200"#,
            "- | 203.0.113.7",
            "::1 - -",
            "<script> - -",
            "<999>May 17 10:05:03 host nginx: a",
            "May flowers: a",
            "May 17 10:05:03x host nginx: a",
            "Mäy 17 10:05:03 host nginx: a",
            "[pod/x",
            "<190>1 2015-05-17T10:05:03Z host",
        ];
        for line in lines {
            assert_eq!(strip(line, &Zone::default()), (line, None));
        }
    }
}
