//! Lines of JSON, by the names that programs commonly give to what is in them.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Entry, address, date, excerpt, micros, path};

/// Where it is looked for, the first that can be read counts. `request.uri` is within `request`,
/// as Caddy writes it.
const TIMES: [&str; 5] = ["time", "timestamp", "@timestamp", "ts", "msec"];
const CLIENTS: [&str; 9] = [
    "client_ip",
    "remote_addr",
    "remote_ip",
    "ip",
    "client",
    "remote_host",
    "request.client_ip",
    "request.remote_ip",
    "request.remote_addr",
];
const PATHS: [&str; 6] = [
    "path",
    "uri",
    "request_uri",
    "url",
    "request",
    "request.uri",
];

pub(super) fn entry(line: &str) -> Result<Entry<'static>, String> {
    let fields: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("it is not JSON: {error}"))?;
    let path = texts(&fields, &PATHS).find_map(|text| path(text).map(str::to_owned));
    Ok(Entry {
        at: micros(when(&fields)?)?,
        client: client(&fields)?,
        path: path.map(Into::into),
        tier: fields
            .get("tier")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

fn when(fields: &Map<String, Value>) -> Result<Timestamp, String> {
    let mut values = values(fields, &TIMES).peekable();
    let Some(&first) = values.peek() else {
        return Err(format!("it has no time: none of {}", TIMES.join(", ")));
    };
    values.find_map(time).ok_or_else(|| {
        format!(
            "its time is neither as 2015-05-17T10:05:03Z nor seconds since 1970: {}",
            excerpt(&first.to_string())
        )
    })
}

fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => since_1970(number.as_f64()?),
        Value::String(text) => {
            let number = || text.parse().ok().and_then(since_1970);
            text.parse().ok().or_else(|| date(text)).or_else(number)
        }
        _ => None,
    }
}

/// A time in seconds, or in thousandths, millionths or billionths of them: whichever makes it one that
/// a log can have been written at.
fn since_1970(number: f64) -> Option<Timestamp> {
    const YEAR_5138: f64 = 1e11;
    let units = [1.0, 1e3, 1e6, 1e9];
    let mut times = units.into_iter().map(|unit| number / unit);
    let seconds = times.find(|seconds| *seconds < YEAR_5138)?;
    // Rounded, since most fractions are not what they are written as.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "less than 1e17, or refused as a time"
    )]
    let micros = (seconds * 1e6).round() as i64;
    Timestamp::from_microsecond(micros).ok()
}

fn client(fields: &Map<String, Value>) -> Result<IpAddr, String> {
    let mut found = texts(fields, &CLIENTS).peekable();
    let Some(&first) = found.peek() else {
        return Err(format!("it has no client: none of {}", CLIENTS.join(", ")));
    };
    found
        .find_map(address)
        .ok_or_else(|| format!("its client is no IP address: {}", excerpt(first)))
}

fn texts<'a>(fields: &'a Map<String, Value>, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
    values(fields, names).filter_map(Value::as_str)
}

fn values<'a>(
    fields: &'a Map<String, Value>,
    names: &'a [&str],
) -> impl Iterator<Item = &'a Value> {
    names.iter().filter_map(|name| match name.split_once('.') {
        Some((outer, inner)) => fields.get(outer)?.get(inner),
        None => fields.get(*name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_names_and_times_are_known() {
        let lines = [
            r#"{"time":"2015-05-17T10:05:03.250Z","client_ip":"203.0.113.7","path":"/a"}"#,
            r#"{"timestamp":"2015-05-17T12:05:03.25+02:00","remote_ip":"203.0.113.7:4711","uri":"/a"}"#,
            r#"{"@timestamp":1431857103.25,"remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1"}"#,
            r#"{"msec":"1431857103.250","ip":"203.0.113.7","request_uri":"/a"}"#,
            r#"{"time":1431857103250,"client":"a name","remote_host":"203.0.113.7","url":"https://x/a"}"#,
            r#"{"ts":1431857103250000000,"request":{"remote_ip":"203.0.113.7","uri":"/a"}}"#,
            r#"{"time":"now","ts":1431857103.25,"request":{"client_ip":"203.0.113.7","remote_ip":"10.0.0.1","uri":"/a"}}"#,
        ];
        for line in lines {
            let expected = Entry {
                at: 1_431_857_103_250_000,
                client: "203.0.113.7".parse().expect("an address"),
                path: Some("/a".into()),
                tier: None,
            };
            assert_eq!(entry(line), Ok(expected), "{line}");
        }
        let common = r#"{"time":"17/May/2015:10:05:03 +0000","ip":"::1","tier":"pro"}"#;
        let common = entry(common).expect("a request");
        assert_eq!(common.at, 1_431_857_103_000_000);
        assert_eq!(common.tier.as_deref(), Some("pro"));
        assert_eq!(common.path, None);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let cases = [
            (r#"{"time":"#, "it is not JSON"),
            (r#"{"ip":"::1"}"#, "it has no time: none of time, timestamp"),
            (
                r#"{"time":"noon","ip":"::1"}"#,
                r#"nor seconds since 1970: "noon""#,
            ),
            (
                r#"{"time":1e300,"ip":"::1"}"#,
                "nor seconds since 1970: 1e+300",
            ),
            (r#"{"time":"NaN","ip":"::1"}"#, "nor seconds since 1970"),
            (r#"{"time":-1,"ip":"::1"}"#, "before 1970"),
            (r#"{"time":1}"#, "it has no client: none of client_ip"),
            (
                r#"{"time":1,"ip":"localhost"}"#,
                "its client is no IP address: localhost",
            ),
        ];
        for (line, expected) in cases {
            let error = entry(line).expect_err("broken");
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
