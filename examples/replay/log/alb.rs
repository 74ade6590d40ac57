//! Lines of Elastic Load Balancing: of application load balancers, which begin with the kind of the
//! request, and of classic ones, which begin with the time.

use super::{
    Entry, Problem, Settings,
    client::address,
    micros, requested,
    time::date,
    token::{Token, Tokens},
};

/// The kinds of requests: the first field of an application load balancer.
const KINDS: [&str; 6] = ["http", "https", "h2", "grpcs", "ws", "wss"];

/// Returns whether a line is of a load balancer.
pub(super) fn is_line(line: &str) -> bool {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (first, second, third, fourth) = (word(), word(), word(), word());
    if KINDS.contains(&first) {
        return is_time(second);
    }
    // A collector may begin its lines with a time as well.
    is_time(first)
        && address(second).is_none()
        && third.contains(':')
        && address(third).is_some()
        && (fourth == "-" || address(fourth).is_some())
}

fn is_time(word: &str) -> bool {
    word.len() >= 20 && word.as_bytes()[10] == b'T'
}

/// Reads a line.
pub(super) fn entry<'a>(line: &'a str, settings: &Settings) -> Result<Entry<'a>, Problem> {
    let mut tokens = Tokens::new(line);
    let mut word = || match tokens.next() {
        Some(Token::Word(word)) => word,
        _ => "",
    };
    let mut written = word();
    if KINDS.contains(&written) {
        written = word();
    }
    let time = date(written, &settings.zone).ok_or_else(|| {
        Problem::unreadable(
            "expected a time such as 2015-05-17T10:05:03.186641Z after the kind of the request",
        )
    })?;
    word();
    let client = settings.trusted.client("", word());
    let client = client.ok_or_else(|| {
        Problem::unreadable(
            "expected the client's IP address and port in the field after the load balancer's name",
        )
    })?;
    let request = tokens.find_map(|token| match token {
        Token::Quoted(request) => Some(request),
        _ => None,
    });
    let request = request.ok_or_else(|| {
        Problem::unreadable(
            "expected a request in quotes, such as \"GET https://example.com:443/ HTTP/1.1\"",
        )
    })?;
    Ok(Entry {
        at: micros(time)?,
        client,
        path: Some(requested(request)?.into()),
        tier: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_load_balancers_are_read() {
        let lines = [
            r#"h2 2015-05-17T10:05:03.250000Z app/my-lb/50dc6c495c0c9188 203.0.113.7:4711 10.0.0.9:80 0.000 0.001 0.000 200 200 34 366 "GET https://www.example.com:443/a HTTP/2.0" "curl/8.5" - - arn:aws:x "Root=1-58337262" "-" "-" 0 2015-05-17T10:05:03.186000Z "forward" "-" "-" "10.0.0.9:80" "200" "-" "-""#,
            r#"2015-05-17T10:05:03.250000Z my-lb 203.0.113.7:4711 10.0.0.9:80 0.000073 0.001048 0.000057 200 200 0 29 "GET http://www.example.com:80/a HTTP/1.1" "curl/8.5" - -"#,
            r#"2015-05-17T10:05:03.250000Z my-lb 203.0.113.7:4711 - -1 -1 -1 503 0 0 0 "GET http://www.example.com:80/a HTTP/1.1" "curl/8.5" - -"#,
        ];
        for line in lines {
            assert!(is_line(line), "{line}");
            let entry = entry(line, &Settings::default()).expect(line);
            assert_eq!(entry.at, 1_431_857_103_250_000, "{line}");
            assert_eq!(entry.client.address.to_string(), "203.0.113.7", "{line}");
            assert_eq!(entry.path.as_deref(), Some("/a"), "{line}");
        }
        for peer in ["[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2:3:4:5:6:4711"] {
            let line = lines[0].replace("203.0.113.7:4711", peer);
            assert!(is_line(&line));
            let entry = entry(&line, &Settings::default()).expect(peer);
            assert_eq!(entry.client.address.to_string(), "2001:db8:1:2:3:4:5:6");
        }
        let others = [
            "",
            "https",
            r#"2015-05-17T10:05:03Z 203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
            r#"2015-05-17T10:05:03Z host nginx: 203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
            r#"2015-05-17T10:05:03Z 203.0.113.7:4711 10.0.0.2:80 - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
        ];
        for line in others {
            assert!(!is_line(line), "{line}");
        }
    }

    #[test]
    fn what_was_expected_is_said() {
        let cases = [
            (
                "https 2015-13-17T10:05:03.250000Z app/x 203.0.113.7:1 - \"GET / HTTP/1.1\"",
                "expected a time",
            ),
            (
                "https 2015-05-17T10:05:03.250000Z app/x - - \"GET / HTTP/1.1\"",
                "IP address and port",
            ),
            (
                "https 2015-05-17T10:05:03.250000Z app/x 203.0.113.7:1 -",
                "a request in quotes",
            ),
        ];
        for (line, expected) in cases {
            match entry(line, &Settings::default()) {
                Err(Problem::Unreadable(problem)) => {
                    assert!(problem.contains(expected), "{line}: {problem}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        let malformed = r#"http 2015-05-17T10:05:03.250000Z app/x 203.0.113.7:1 - -1 -1 -1 400 - 0 272 "- http://example.com:80- -" "-""#;
        assert!(matches!(
            entry(malformed, &Settings::default()),
            Err(Problem::NoRequest(_))
        ));
    }
}
