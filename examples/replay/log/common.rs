//! Lines of the common and the combined log format, as Apache and nginx write them:
//! `203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /path HTTP/1.1" 200 512`.

use std::net::IpAddr;

use super::{Entry, date, excerpt, micros, path};

pub(super) fn entry(line: &str) -> Result<Entry<'_>, String> {
    let dated = line.split_once('[').and_then(|(before, rest)| {
        let (date, after) = rest.split_once(']')?;
        Some((before, date, after))
    });
    let Some((before, written, after)) = dated else {
        return Err(format!(
            "it has no date in brackets, as a line of an access log has: {}",
            excerpt(line)
        ));
    };
    let time = date(written).ok_or_else(|| {
        format!(
            "its date is not one as 17/May/2015:10:05:03 +0000: {}",
            excerpt(written)
        )
    })?;
    Ok(Entry {
        at: micros(time)?,
        client: client(before)?,
        path: Some(requested(after)?.into()),
        tier: None,
    })
}

/// The first word that is an address: before it there may be the name of a virtual host.
fn client(before: &str) -> Result<IpAddr, String> {
    let mut words = before.split_ascii_whitespace();
    words.find_map(|word| word.parse().ok()).ok_or_else(|| {
        format!(
            "it has no IP address to know the client by: {}",
            excerpt(before)
        )
    })
}

/// The path in `"GET /path HTTP/1.1" 200 512`.
fn requested(after: &str) -> Result<&str, String> {
    let mut parts = after.split('"');
    let request = parts.nth(1).unwrap_or_default();
    if request.split_ascii_whitespace().nth(1).is_none() {
        return Err(format!(
            "its request is not one as \"GET /path HTTP/1.1\": {}",
            excerpt(request)
        ));
    }
    path(request).ok_or_else(|| "its request has no path".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_and_combined_lines_are_read_in_any_time_zone() {
        let lines = [
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 512"#,
            r#"203.0.113.7 - ann [17/May/2015:12:05:03 +0200] "GET /a HTTP/1.1" 200 512 "-" "curl [8]""#,
            r#"example.com:443 203.0.113.7 - - [17/May/2015:04:35:03 -0530] "GET /a HTTP/1.1" 200 -"#,
            r#"203.0.113.7 - - [17/May/2015:10:05:03 +0000] "GET http://example.com/a HTTP/1.1" 200 1"#,
        ];
        for line in lines {
            let expected = Entry {
                at: 1_431_857_103_000_000,
                client: "203.0.113.7".parse().expect("an address"),
                path: Some("/a".into()),
                tier: None,
            };
            assert_eq!(entry(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let cases = [
            ("nonsense", "no date in brackets"),
            (
                r#"::1 - - [17/Mai/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
                "17/Mai/2015",
            ),
            (
                r#"::1 - - [17/May/2015:10:05:03] "GET / HTTP/1.1" 200 1"#,
                "its date is not one",
            ),
            (
                r#"::1 - - [17/May/1965:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
                "before 1970",
            ),
            (
                r#"a.example - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1"#,
                "no IP address",
            ),
            (
                r#"::1 - - [17/May/2015:10:05:03 +0000] "-" 408 -"#,
                "its request is not one",
            ),
            (
                "::1 - - [17/May/2015:10:05:03 +0000]",
                "its request is not one",
            ),
        ];
        for (line, expected) in cases {
            let error = entry(line).expect_err("broken");
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
