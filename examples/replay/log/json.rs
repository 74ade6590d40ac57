//! Lines of JSON, by the names that servers, proxies, frameworks and collectors give to what is in
//! them. Upper case, `_` and `-` in names make no difference.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    Entry, Problem, Settings,
    client::is_list,
    micros, path, requested,
    time::{Zone, date, since_1970},
};

/// The greatest depth to which objects are searched.
const MAX_DEPTH: usize = 4;

/// The meaning of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    Time,
    /// The client's address as the server resolved it.
    Client,
    /// The other end of the connection, which may be a proxy.
    Peer,
    /// The list that proxies append to.
    Forwarded,
    Path,
    /// `GET /path HTTP/1.1`
    Request,
    /// The line of another log.
    Line,
}

/// The names of each role, the preferred one first. Those with fractions of a second come first
/// among times.
const NAMES: [(Role, &[&str]); 7] = [
    (
        Role::Time,
        &[
            "msec",
            "startutc",
            "@timestamp",
            "timestamp",
            "timestamp(ms)",
            "ts",
            "time",
            "datetime",
            "starttime",
            "requesttimeepoch",
            "edgestarttimestamp",
            "startlocal",
            "timeiso8601",
            "iso8601",
            "timelocal",
            "date",
            "requesttime",
            "eventtime",
            "asctime",
            "logtime",
            "@t",
            "created",
        ],
    ),
    (
        Role::Client,
        &[
            "clientip",
            "client.ip",
            "client",
            "client.address",
            "clientaddress",
            "realip",
            "ip",
            "sourceip",
            "userip",
            "ipaddress",
            "clientipaddress",
            "callerip",
            "source.ip",
            "cip",
        ],
    ),
    (
        Role::Peer,
        &[
            "remoteaddr",
            "remoteip",
            "remotehost",
            "remoteaddress",
            "remote",
            "peer",
            "peeraddr",
            "peerip",
            "remoteipaddress",
            "clientaddr",
            "source.address",
            "downstreamremoteaddress",
        ],
    ),
    (
        Role::Forwarded,
        &[
            "xforwardedfor",
            "httpxforwardedfor",
            "headers.xforwardedfor",
            "requestxforwardedfor",
            "clienthost",
            "forwardedfor",
            "xforwardfor",
            "xff",
            "xrealip",
            "httpxrealip",
            "headers.xrealip",
            "cfconnectingip",
            "headers.cfconnectingip",
        ],
    ),
    (
        Role::Path,
        &[
            "path",
            "uri",
            "requesturi",
            "url",
            "requestpath",
            "requesturl",
            "url.path",
            "url.original",
            "url.full",
            "originalurl",
            "csuristem",
            "clientrequesturi",
            "clientrequestpath",
            "target",
        ],
    ),
    (Role::Request, &["request", "requestline"]),
    (Role::Line, &["log", "message", "msg", "textpayload"]),
];

/// Objects that say nothing of what is in them: `request.uri` is read as `uri`.
const CONTAINERS: [&str; 20] = [
    "request",
    "req",
    "http",
    "httprequest",
    "jsonpayload",
    "fields",
    "span",
    "data",
    "attributes",
    "context",
    "requestcontext",
    "identity",
    "event",
    "access",
    "properties",
    "proxy",
    "nginx",
    "apache",
    "traefik",
    "payload",
];

/// Objects whose name says what is in them: `client.ip`.
const OBJECTS: [&str; 4] = ["client", "source", "url", "headers"];

/// The role of each name, and its rank among the names of that role.
static ROLES: LazyLock<HashMap<&str, (Role, usize)>> = LazyLock::new(|| {
    let ranked = |(role, names): (Role, &'static [&str])| {
        let names = names.iter().enumerate();
        names.map(move |(rank, name)| (*name, (role, rank)))
    };
    NAMES.into_iter().flat_map(ranked).collect()
});

/// The meaning of a line.
#[derive(Debug)]
pub(super) enum Line {
    Request(Entry<'static>),
    /// The record of a collector: lines of another log, with the time at which they were collected.
    Wrapped(Vec<String>, Option<Timestamp>),
    /// A second line about a request.
    Repeated,
}

/// Reads a line; `prefixed` is the time of what a log collector wrote before it.
pub(super) fn line(
    text: &str,
    prefixed: Option<Timestamp>,
    settings: &Settings,
) -> Result<Line, Problem> {
    let fields = object(text)?;
    let logger = fields.get("logger").and_then(Value::as_str);
    // Caddy writes a request that failed into its error log as well.
    if logger.is_some_and(|logger| logger.starts_with("http.log.error")) {
        return Ok(Line::Repeated);
    }
    let found = Found::within(&fields);
    let time = found.time(&settings.zone);
    let near = found.list(Role::Client).or_else(|| found.list(Role::Peer));
    let forwarded = found.list(Role::Forwarded);
    let client = settings
        .trusted
        .client(&forwarded.unwrap_or_default(), &near.unwrap_or_default());
    let Some(client) = client else {
        let lines: Vec<String> = found.texts(Role::Line).map(Cow::into_owned).collect();
        return if lines.is_empty() {
            Err(found.no_client())
        } else {
            Ok(Line::Wrapped(lines, time.or(prefixed)))
        };
    };
    let at = micros(time.or(prefixed).ok_or_else(|| found.no_time())?)?;
    let path = found
        .texts(Role::Path)
        .find_map(|text| path(&text).map(str::to_owned));
    let path = match (path, found.texts(Role::Request).next()) {
        (None, Some(request)) => Some(requested(&request)?.to_owned()),
        (path, _) => path,
    };
    let tier = fields.get("tier").and_then(Value::as_str);
    Ok(Line::Request(Entry {
        at,
        client,
        path: path.map(Cow::Owned),
        tier: tier.map(str::to_owned),
    }))
}

/// Parses an object.
fn object(text: &str) -> Result<Map<String, Value>, Problem> {
    let parsed = serde_json::from_str(text).or_else(|error| {
        // Without `escape=json` nginx writes quotes and bytes that are not ASCII as `\x22`.
        let repaired = text.contains(r"\x").then(|| text.replace(r"\x", r"\u00"));
        repaired.map_or(Err(error), |text| serde_json::from_str(&text))
    });
    parsed.map_err(|error| {
        Problem::unreadable(format!(
            "expected one object of JSON, which `jq -c .` puts on a line: {error}"
        ))
    })
}

/// The fields of a line that have a role, the preferred ones first.
struct Found<'a>(Vec<(Role, usize, &'a Value)>);

impl<'a> Found<'a> {
    fn within(fields: &'a Map<String, Value>) -> Self {
        let mut found = Self(Vec::with_capacity(8));
        found.search(fields, &mut String::new(), 0);
        // Fields of the line itself count more than those of objects in it.
        found.0.sort_by_key(|(_, rank, _)| *rank);
        found
    }

    fn search(&mut self, fields: &'a Map<String, Value>, parents: &mut String, depth: usize) {
        let length = parents.len();
        for (key, value) in fields {
            if length > 0 {
                parents.push('.');
            }
            let letters = key.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
            parents.extend(letters.map(|c| c.to_ascii_lowercase()));
            let name = within_containers(parents);
            match value {
                Value::Object(inner) => {
                    let is_searched = CONTAINERS.contains(&name) || OBJECTS.contains(&name);
                    if is_searched && depth < MAX_DEPTH {
                        self.search(inner, parents, depth + 1);
                    }
                }
                _ => {
                    if let Some((role, rank)) = ROLES.get(name) {
                        // A number of this name may be a duration in nanoseconds: see `PLAUSIBLE`.
                        let is_doubtful = name == "time" && value.is_number();
                        let depth = if is_doubtful { MAX_DEPTH + 1 } else { depth };
                        self.0.push((*role, depth * 100 + rank, value));
                    }
                }
            }
            parents.truncate(length);
        }
    }

    fn values(&self, role: Role) -> impl Iterator<Item = &'a Value> {
        let of_role = self.0.iter().filter(move |(found, ..)| *found == role);
        of_role.map(|(_, _, value)| *value)
    }

    fn texts(&self, role: Role) -> impl Iterator<Item = Cow<'a, str>> {
        self.values(role).filter_map(|value| match value {
            Value::String(text) => Some(text.as_str().into()),
            // The lines of a header.
            Value::Array(lines) => {
                let lines: Option<Vec<&str>> = lines.iter().map(Value::as_str).collect();
                Some(lines?.join(",").into())
            }
            _ => None,
        })
    }

    /// Returns the first list of addresses.
    fn list(&self, role: Role) -> Option<Cow<'a, str>> {
        self.texts(role).find(|text| is_list(text))
    }

    fn time(&self, zone: &Zone) -> Option<Timestamp> {
        let read = |value: &Value| match value {
            Value::Number(number) => since_1970(number.as_f64()?),
            Value::String(text) => {
                date(text, zone).or_else(|| since_1970(text.trim().parse().ok()?))
            }
            _ => None,
        };
        self.values(Role::Time).find_map(read).or_else(|| {
            // `"date":"2015-05-17","time":"10:05:03"`, in UTC as the W3C's format has it.
            let texts: Vec<_> = self.texts(Role::Time).collect();
            let day = texts.iter().find(|text| !text.contains(':'))?;
            let time = texts.iter().find(|text| text.contains(':'))?;
            date(&format!("{day} {time}"), &Zone::default())
        })
    }

    fn no_time(&self) -> Problem {
        match self.values(Role::Time).next() {
            None => Problem::unreadable(
                "expected a time, named time, timestamp, @timestamp, ts, msec, time_local, time_iso8601, or the like",
            ),
            Some(value) => Problem::unreadable(format!(
                "expected a time as 2015-05-17T10:05:03Z, or as seconds since 1970, and not {}",
                super::excerpt(&value.to_string(), 40)
            )),
        }
    }

    fn no_client(&self) -> Problem {
        let named = [Role::Client, Role::Peer, Role::Forwarded].into_iter();
        match named.flat_map(|role| self.values(role)).next() {
            None => Problem::unreadable(
                "expected the client's IP address, named client_ip, remote_addr, remote_ip, ip, x_forwarded_for, or the like",
            ),
            Some(value) => Problem::unreadable(format!(
                "expected the client's IP address, and not {}",
                super::excerpt(&value.to_string(), 40)
            )),
        }
    }
}

/// Returns the part of a name after containers.
fn within_containers(name: &str) -> &str {
    let mut name = name;
    while let Some((first, rest)) = name.split_once('.') {
        if !CONTAINERS.contains(&first) {
            break;
        }
        name = rest;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Entry<'static>, Problem> {
        match line(text, None, &Settings::default())? {
            Line::Request(entry) => Ok(entry),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_usual_names_and_times_are_known() {
        let lines = [
            r#"{"time":"2015-05-17T10:05:03.250Z","client_ip":"203.0.113.7","path":"/a"}"#,
            r#"{"timestamp":"2015-05-17T12:05:03.25+02:00","remote_ip":"203.0.113.7:4711","uri":"/a"}"#,
            r#"{"@timestamp":1431857103.25,"remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1"}"#,
            r#"{"msec":"1431857103.250","ip":"203.0.113.7","request_uri":"/a"}"#,
            r#"{"time":1431857103250,"client":"a name","remote_host":"203.0.113.7","url":"https://x/a"}"#,
            r#"{"ts":1431857103250000000,"request":{"remote_ip":"203.0.113.7","uri":"/a"}}"#,
            r#"{"time":"now","ts":1431857103.25,"request":{"client_ip":"203.0.113.7","remote_ip":"10.0.0.1","uri":"/a"}}"#,
            r#"{"timestamp":1431857103250000,"httpRequest":{"remoteIp":"203.0.113.7","requestUrl":"https://x/a","latency":"0.25s"}}"#,
            r#"{"@timestamp":"2015-05-17T10:05:03.250Z","client":{"ip":"203.0.113.7"},"url":{"path":"/a"},"event":{"duration":1500000000}}"#,
            r#"{"@timestamp":"2015-05-17T10:05:03.250Z","source.ip":"203.0.113.7","url.original":"/a"}"#,
            r#"{"StartUTC":"2015-05-17T10:05:03.25Z","time":"2015-05-17T10:05:04Z","ClientAddr":"10.0.0.2:4711","ClientHost":"203.0.113.7, 10.0.0.9","RequestPath":"/a","Duration":1500000000}"#,
            r#"{"timestamp":"2015-05-17T10:05:03.25Z","fields":{"http.client_ip":"203.0.113.7","http.target":"/a"}}"#,
            r#"{"time":1431857103250,"req":{"method":"GET","url":"/a","remoteAddress":"::ffff:203.0.113.7"}}"#,
            r#"{"start_time":"2015-05-17T10:05:03.25Z","downstream_remote_address":"10.0.0.2:4711","x_forwarded_for":"203.0.113.7","path":"/a"}"#,
            r#"{"requestContext":{"requestTimeEpoch":1431857103250,"identity":{"sourceIp":"203.0.113.7"}},"path":"/a"}"#,
            r#"{"ts":1431857103.25,"request":{"remote_ip":"10.0.0.2","client_ip":"10.0.0.2","uri":"/a","headers":{"X-Forwarded-For":["1.2.3.4","203.0.113.7, 10.0.0.3"]}}}"#,
            r#"{"time_local":"17/May/2015:12:05:03 +0200","msec":1431857103.25,"remote_addr":"unix:","http_x_forwarded_for":"203.0.113.7","path":"/a"}"#,
            // By nginx without `escape=json`.
            r#"{"msec":"1431857103.250","remote_addr":"203.0.113.7","request":"GET /a HTTP/1.1","agent":"\x22\xE4"}"#,
            // Durations are no times, whatever they are called.
            r#"{"time":0.25,"request_time":"0.005","duration":1431857103,"timestamp":"2015-05-17T10:05:03.25Z","ip":"203.0.113.7","path":"/a"}"#,
            r#"{"time":1500000000,"date":"2015-05-17T10:05:03.25Z","ip":"203.0.113.7","path":"/a"}"#,
            r#"{"timestamp":250,"time":"2015-05-17T10:05:03.25Z","ip":"203.0.113.7","path":"/a"}"#,
            r#"{"date":"2015-05-17","time":"10:05:03.25","c-ip":"203.0.113.7","cs-uri-stem":"/a"}"#,
        ];
        for line in lines {
            let entry = read(line).expect(line);
            assert_eq!(entry.at, 1_431_857_103_250_000, "{line}");
            assert_eq!(entry.client.address.to_string(), "203.0.113.7", "{line}");
            assert_eq!(entry.path.as_deref(), Some("/a"), "{line}");
        }
        for name in ["time_local", "time_iso8601", "request_time"] {
            let line =
                format!(r#"{{"{name}":"17/May/2015:10:05:03 +0000","ip":"::1","tier":"pro"}}"#);
            let entry = read(&line).expect("a request");
            assert_eq!(entry.at, 1_431_857_103_000_000);
            assert_eq!(entry.tier.as_deref(), Some("pro"));
            assert_eq!(entry.path, None);
        }
    }

    #[test]
    fn other_objects_do_not_say_who_the_client_is() {
        let line = r#"{"ts":1431857103,"server":{"ip":"1.2.3.4"},"response":{"time":1531857103},"host":{"ip":["1.2.3.4"]},"resp_headers":{"X-Forwarded-For":["1.2.3.4"]},"remote_addr":"10.0.0.2"}"#;
        let entry = read(line).expect("a request");
        assert_eq!(entry.client.address.to_string(), "10.0.0.2");
        assert!(entry.client.is_proxy);
        assert_eq!(entry.at, 1_431_857_103_000_000);
    }

    #[test]
    fn what_was_expected_is_said() {
        let cases = [
            (
                r#"{"time":"#,
                "expected one object of JSON, which `jq -c .` puts on a line: EOF",
            ),
            (r#"{"ip":"::1"}"#, "expected a time, named time, timestamp"),
            (r#"{"time":"noon","ip":"::1"}"#, r#"and not "noon""#),
            (r#"{"time":1e300,"ip":"::1"}"#, "and not 1e+300"),
            (r#"{"time":"NaN","ip":"::1"}"#, r#"and not "NaN""#),
            (r#"{"time":-1,"ip":"::1"}"#, "and not -1"),
            (r#"{"time":0.25,"duration":3,"ip":"::1"}"#, "and not 0.25"),
            (
                r#"{"time":"1965-05-17T10:05:03Z","ip":"::1"}"#,
                "before 1970",
            ),
            (r#"{"time":1431857103}"#, "IP address, named client_ip"),
            (
                r#"{"time":1431857103,"ip":"localhost"}"#,
                r#"and not "localhost""#,
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
        for request in ["", "-", r"\u0016\u0003\u0001"] {
            let line = format!(
                r#"{{"msec":"1431857103.25","remote_addr":"203.0.113.7","request":"{request}"}}"#
            );
            assert!(matches!(read(&line), Err(Problem::NoRequest(_))), "{line}");
        }
    }
}
