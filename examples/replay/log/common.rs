//! Lines with a date and a quoted request, as most servers write them: the common and the combined
//! format of Apache and nginx, with a virtual host or a forwarded list before or after it, and the
//! formats of ingress-nginx, Traefik, `HAProxy` and Envoy, which begin in the same way:
//! `203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /path HTTP/1.1" 200 512 "-" "curl/8.5"`.
//!
//! A client chooses its user name, its request, its referer and its user agent. In lines of these formats
//! none of them is taken for an address or a date, whatever it looks like.

use std::{borrow::Cow, mem, net::IpAddr, ops::Range};

use jiff::Timestamp;

use super::{
    Entry, Problem, Settings,
    client::{address, is_list},
    micros, requested,
    time::{Zone, date},
    token::{Token, Tokens},
};

/// The quoted fields of the combined format after the request: the referer and the user agent.
const COMBINED: usize = 2;

/// The first port that is taken for a client's: servers listen at lower ones.
const CLIENT_PORTS: u16 = 10_000;

/// The length of `2015-05-17T10:05:03`. A date with spaces is in brackets.
const SHORTEST_DATE: usize = 19;

/// Reads a line; `prefixed` is the time of what a log collector wrote before it.
pub(super) fn entry<'a>(
    line: &'a str,
    prefixed: Option<Timestamp>,
    settings: &Settings,
) -> Result<Entry<'a>, Problem> {
    let mut tokens = Tokens::new(line);
    let head = head(line, &mut tokens, &settings.zone);
    let time = head.time.or(prefixed).ok_or_else(|| {
        Problem::unreadable("expected a date such as [17/May/2015:10:05:03 +0000]")
    })?;
    let at = micros(time)?;
    let request = head.request.ok_or_else(|| {
        Problem::unreadable("expected a request in quotes, such as \"GET /path HTTP/1.1\"")
    })?;
    let near = hosts(line, &head.fields);
    let begins_with_date = head.time.is_some() && head.fields.is_empty();
    let envoy = begins_with_date.then(|| envoy(tokens.clone())).flatten();
    let forwarded = envoy.unwrap_or_else(|| forwarded(tokens));
    let client = settings.trusted.client(forwarded, &near);
    let client = client.ok_or_else(|| {
        Problem::unreadable(
            "expected the client's IP address before the date, or in a field after the user agent",
        )
    })?;
    Ok(Entry {
        at,
        client,
        path: Some(requested(request)?.into()),
        tier: None,
    })
}

/// The part of a line up to its request.
struct Head<'a> {
    /// The places of the fields before the date. A list that has spaces after its commas is one field.
    fields: Vec<Range<usize>>,
    time: Option<Timestamp>,
    request: Option<&'a str>,
}

fn head<'a>(line: &'a str, tokens: &mut Tokens<'a>, zone: &Zone) -> Head<'a> {
    let mut head = Head {
        fields: Vec::with_capacity(8),
        time: None,
        request: None,
    };
    let mut fields: Vec<Range<usize>> = Vec::with_capacity(8);
    for token in tokens.by_ref() {
        let (text, time) = match token {
            Token::Quoted(text) if head.time.is_some() => {
                head.request = Some(text);
                return head;
            }
            // Without a date the request is the first text that is not a list of addresses.
            Token::Quoted(text) if is_request(text) => {
                head.request = Some(text);
                break;
            }
            Token::Bracketed(text) => (text, date(text, zone)),
            Token::Word(text) if text.len() >= SHORTEST_DATE => (text, date(text, zone)),
            Token::Quoted(text) | Token::Word(text) => (text, None),
        };
        let range = range(line, text);
        if time.is_some() {
            // The date nearest to the request is the server's: a user may have the name of one.
            head.time = time;
            head.fields.extend(mem::take(&mut fields));
            fields.push(range);
        } else {
            push(&mut fields, line, range);
        }
    }
    if head.time.is_none() {
        head.fields = fields;
    }
    head
}

fn is_request(text: &str) -> bool {
    text.rsplit_once(' ')
        .is_some_and(|(_, version)| version.starts_with("HTTP/"))
}

/// Adds a field, or continues the one before if a comma is between them.
fn push(fields: &mut Vec<Range<usize>>, line: &str, field: Range<usize>) {
    let begins = line[field.clone()].starts_with(',');
    match fields.last_mut() {
        Some(last) if begins || line[last.clone()].ends_with(',') => last.end = field.end,
        _ => fields.push(field),
    }
}

/// Returns the place of a part of the line.
fn range(line: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - line.as_ptr() as usize;
    start..start + part.len()
}

/// Returns the list of addresses that a line begins with: a forwarded list, the peer's address, or both.
///
/// The server's name may be before it, or a `-` for a list that was not there. The two last fields are
/// the client's names (RFC 1413 and HTTP authentication), and the second may have spaces in it. A line
/// in which another address stands where such a name may be as well is not read.
fn hosts<'a>(line: &'a str, fields: &[Range<usize>]) -> Cow<'a, str> {
    let names = match fields.len() {
        0..=2 => 0,
        3 => 1,
        _ => 2,
    };
    let fields = fields[..fields.len() - names].iter();
    let mut fields = fields.map(|field| &line[field.clone()]).peekable();
    if fields.peek().is_some_and(|first| is_server(first)) {
        let mut after = fields.clone();
        after.next();
        if after.peek().is_some_and(|second| is_list(second)) {
            fields = after;
        }
    }
    let mut hosts = Cow::Borrowed("");
    while let Some(list) = fields.next_if(|field| is_list(field)) {
        if hosts.is_empty() {
            hosts = list.into();
        } else {
            let hosts = hosts.to_mut();
            hosts.push(',');
            hosts.push_str(list);
        }
    }
    if fields.any(|field| is_list(field) && !hosts.contains(field)) {
        return "".into();
    }
    hosts
}

/// Returns whether a field before an address is what Apache writes as `%v:%p`, or a `-`.
fn is_server(field: &str) -> bool {
    match address(field) {
        Some(_) => is_listening(field),
        None => !field.contains(','),
    }
}

/// Returns whether an address has a port as servers have it.
fn is_listening(address: &str) -> bool {
    let port = address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    !is_bare(address) && port.is_some_and(|port: u16| port < CLIENT_PORTS)
}

/// Returns whether a text is an address without a port.
fn is_bare(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Returns the forwarded list of a line that begins with its date, if it is one of Envoy: the text in
/// quotes after at least four numbers, of which Envoy writes the last two as `-` if it has none.
fn envoy(tokens: Tokens<'_>) -> Option<&str> {
    let is_number = |word: &str| word == "-" || word.bytes().all(|byte| byte.is_ascii_digit());
    let mut numbers = 0;
    for token in tokens {
        match token {
            Token::Word(word) if is_number(word) => numbers += 1,
            Token::Quoted(list) if numbers >= 4 => return Some(list),
            _ => numbers = 0,
        }
    }
    None
}

/// Returns the forwarded list after the request, or nothing: what nginx writes as
/// `"$http_x_forwarded_for"` after the user agent, or the last field without quotes. A text with
/// ports may be an upstream's address, and counts only if there is none without.
fn forwarded(mut tokens: Tokens<'_>) -> &str {
    let is_bare_list = |text: &str| text.split(',').all(|entry| is_bare(entry.trim()));
    // After the status and the size of the common format.
    let mut common = tokens.clone();
    if common.nth(1).is_some() && is_bare_list(common.rest()) {
        return common.rest();
    }
    let (mut only, mut with_port) = ("", "");
    let mut quoted = 0;
    while let Some(token) = tokens.next() {
        let Token::Quoted(text) = token else { continue };
        quoted += 1;
        if quoted > COMBINED && is_list(text) {
            if is_bare(last_entry(text)) {
                return text;
            }
            if with_port.is_empty() && !is_listening(last_entry(text)) {
                with_port = text;
            }
        }
        if quoted == COMBINED && is_bare_list(tokens.rest()) {
            return tokens.rest();
        }
        only = text;
    }
    if quoted == 1 && is_list(only) {
        only
    } else {
        with_port
    }
}

/// Returns the last entry of a list with commas.
fn last_entry(list: &str) -> &str {
    list.rsplit(',').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Entry<'_>, Problem> {
        entry(line, None, &Settings::default())
    }

    fn client(line: &str) -> Option<String> {
        Some(read(line).ok()?.client.address.to_string())
    }

    #[test]
    fn lines_are_read_in_any_time_zone() {
        let lines = [
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512"#,
            r#"203.0.113.7 - - [2015-05-17T12:05:03+02:00] "GET /a HTTP/1.1" 200 512"#,
            r#"203.0.113.7 - - 2015-05-17T10:05:03Z "GET /a HTTP/1.1" 200 512"#,
            r#"203.0.113.7 - ann [17/May/2015:12:05:03 +0200] "GET /a HTTP/1.1" 200 512 "-" "curl [8]""#,
            r#"example.com:443 203.0.113.7 - - [17/May/2015:04:35:03 -0530] "GET /a HTTP/1.1" 200 -"#,
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET http://example.com/a HTTP/1.1" 200 1"#,
            r#"203.0.113.7:4711 [17/May/2015:10:05:03.000] in~ app/1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {x} {} "GET /a HTTP/1.1""#,
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000]"GET /a HTTP/1.1" 200 512"#,
            r#"203.0.113.7 [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200"#,
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "M-SEARCH /a HTTP/1.1" 200 512"#,
        ];
        for line in lines {
            let entry = read(line).expect(line);
            assert_eq!(entry.at, 1_431_857_103_000_000, "{line}");
            assert_eq!(entry.client.address.to_string(), "203.0.113.7", "{line}");
            assert_eq!(entry.path.as_deref(), Some("/a"), "{line}");
        }
    }

    #[test]
    fn the_client_is_found_before_the_date() {
        let cases = [
            ("203.0.113.7 - -", "203.0.113.7"),
            ("203.0.113.7, 10.0.0.2 - -", "203.0.113.7"),
            ("203.0.113.7,10.0.0.2 - -", "203.0.113.7"),
            ("203.0.113.7 ,10.0.0.2 - ann", "203.0.113.7"),
            ("unknown, 203.0.113.7, 10.0.0.2 - -", "203.0.113.7"),
            ("1.2.3.4, 203.0.113.7 - -", "203.0.113.7"),
            (r#""203.0.113.7, 10.0.0.2" - -"#, "203.0.113.7"),
            (r#""203.0.113.7" 10.0.0.2 - -"#, "203.0.113.7"),
            ("203.0.113.7 10.0.0.2 - -", "203.0.113.7"),
            ("10.0.0.2 203.0.113.7 - -", "203.0.113.7"),
            ("1.2.3.4, 203.0.113.7 10.0.0.2 - -", "203.0.113.7"),
            ("- 203.0.113.7 - -", "203.0.113.7"),
            ("203.0.113.7:4711 - -", "203.0.113.7"),
            ("203.0.113.7:4711, 10.0.0.2:80 - -", "203.0.113.7"),
            ("[2001:db8::1]:4711 - -", "2001:db8::1"),
            ("2001:db8::1, fd00::2 - -", "2001:db8::1"),
            ("::ffff:203.0.113.7 - -", "203.0.113.7"),
            ("www.example.com 203.0.113.7 - -", "203.0.113.7"),
            (
                "www.example.com:443 203.0.113.7, 10.0.0.2 - -",
                "203.0.113.7",
            ),
            ("198.51.100.80:443 10.1.2.3 - -", "10.1.2.3"),
            ("[2001:db8::80]:443 10.1.2.3 - -", "10.1.2.3"),
            ("203.0.113.7:54711 10.0.0.2 - -", "203.0.113.7"),
            ("203.0.113.7 - [203.0.113.7] - -", "203.0.113.7"),
            // The names are the client's to choose.
            ("10.0.0.2 - 1.2.3.4", "10.0.0.2"),
            ("10.0.0.2 - 1.2.3.4 bob", "10.0.0.2"),
            ("203.0.113.7 - a[b", "203.0.113.7"),
            ("203.0.113.7 - [a b", "203.0.113.7"),
            ("203.0.113.7 - [1/May/2015:10:00:00 +0000]", "203.0.113.7"),
            ("203.0.113.7 - [01/May/2015:10:00:00 +0000]", "203.0.113.7"),
            ("203.0.113.7 - 2015-05-01T10:05:03Z", "203.0.113.7"),
        ];
        for (head, expected) in cases {
            let line =
                format!(r#"{head} [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-""#);
            assert_eq!(client(&line).as_deref(), Some(expected), "{head}");
            assert_eq!(
                read(&line).map(|entry| entry.at),
                Ok(1_431_857_103_000_000),
                "{head}"
            );
        }
        let neither = [
            "",
            "-",
            "- - -",
            "- - 1.2.3.4",
            "- - 1.2.3.4 bob",
            "a.example - -",
            "a.example - 1.2.3.4 x y",
            "10.0.0.2 - 1.2.3.4 bob the builder",
            "1.2.3.4 - -, 203.0.113.7 - -",
            "203.0.113.7, unknown - -",
        ];
        for head in neither {
            let line = format!(r#"{head} [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#);
            assert_eq!(client(&line), None, "{head}");
        }
    }

    #[test]
    fn a_list_before_the_user_agent_counts_in_lines_of_envoy() {
        let fields = [
            ("200 - 0 12 3 2", "\"10.0.0.9:80\""),
            ("503 UF,URX 0 12 3 -", "\"198.51.100.9:80\""),
            (
                "200 - via_upstream - \"-\" 0 12 3 2",
                "\"10.0.0.9:80\" outbound|80||web.default.svc.cluster.local 10.0.0.2:50000 10.0.0.9:80 10.0.0.2:40001 - default",
            ),
        ];
        for (fields, upstream) in fields {
            let line = |list: &str| {
                format!(
                    r#"[2015-05-17T10:05:03.250Z] "GET /a HTTP/2" {fields} "{list}" "curl/8" "4a0d" "1.2.3.4" {upstream}"#
                )
            };
            for list in ["203.0.113.7", "1.2.3.4, 203.0.113.7,10.0.0.2"] {
                let line = line(list);
                assert_eq!(client(&line).as_deref(), Some("203.0.113.7"), "{line}");
            }
            assert_eq!(client(&line("-")), None, "{fields}");
        }
    }

    #[test]
    fn a_list_after_the_request_counts_if_the_peer_is_trusted() {
        let cases = [
            (r#"200 1 "-" "curl" "203.0.113.7""#, "203.0.113.7"),
            (
                r#"200 1 "-" "curl" "1.2.3.4, 203.0.113.7, 10.0.0.9""#,
                "203.0.113.7",
            ),
            (r#"200 1 "-" "curl" "unknown, 203.0.113.7""#, "203.0.113.7"),
            (r#"200 1 "-" "curl" "2001:db8::1""#, "2001:db8::1"),
            (
                r#"200 1 "-" "curl" "example.com" "203.0.113.7""#,
                "203.0.113.7",
            ),
            (r#"200 1 "-" "curl" 203.0.113.7, 10.0.0.9"#, "203.0.113.7"),
            (r#"200 1 "-" "curl" "-""#, "10.0.0.2"),
            (r#"200 1 "203.0.113.7""#, "203.0.113.7"),
            ("200 1 203.0.113.7, 10.0.0.9", "203.0.113.7"),
            // What a client chooses is not its address, and an upstream's address is not either.
            (r#"200 1 "1.2.3.4" "1.2.3.4" "-""#, "10.0.0.2"),
            (r#"200 1 "1.2.3.4" "1.2.3.4""#, "10.0.0.2"),
            (r#"200 1 "-" "a \" \"1.2.3.4" "203.0.113.7""#, "203.0.113.7"),
            (
                r#"200 1 "-" "curl" "10.0.0.9:8080" "203.0.113.7""#,
                "203.0.113.7",
            ),
            (r#"200 1 "-" "curl" "198.51.100.9:8080""#, "10.0.0.2"),
            (
                r#"200 1 "-" "curl" "10.0.0.9:30080" "203.0.113.7""#,
                "203.0.113.7",
            ),
            (r#"200 1 "-" "curl" "203.0.113.7:54711""#, "203.0.113.7"),
            (
                r#"200 1 "-" "curl" 77 0.005 [app-80] [] 10.0.0.9:8080 512 0.005 200 abc"#,
                "10.0.0.2",
            ),
            (
                r#"200 1 "-" "curl" 12 "router@docker" "http://10.0.0.9:80" 5ms"#,
                "10.0.0.2",
            ),
        ];
        for (tail, expected) in cases {
            let line =
                format!(r#"10.0.0.2 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" {tail}"#);
            assert_eq!(client(&line).as_deref(), Some(expected), "{tail}");
            let public = line.replacen("10.0.0.2", "198.51.100.9", 1);
            assert_eq!(client(&public).as_deref(), Some("198.51.100.9"), "{tail}");
        }
    }

    #[test]
    fn what_was_expected_is_said() {
        let cases = [
            ("nonsense", "expected a date"),
            (
                r#"::1 - - [17/Mai/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
                "expected a date",
            ),
            (
                r#"::1 - - [17/May/1965:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
                "before 1970",
            ),
            (
                r#"a.example - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
                "IP address",
            ),
            (
                "::1 - - [17/May/2015:10:05:03 +0000] GET / HTTP/1.1 200 1",
                "a request in quotes",
            ),
        ];
        for (line, expected) in cases {
            match read(line) {
                Err(Problem::Unreadable(problem)) => {
                    assert!(problem.contains(expected), "{line}: {problem}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        for request in ["-", "", "- /", r"\x16\x03\x01\x02", "quit"] {
            let line = format!(r#"::1 - - [17/May/2015:10:05:03 +0000] "{request}" 400 0"#);
            assert!(matches!(read(&line), Err(Problem::NoRequest(_))), "{line}");
        }
    }
}
