//! Lines of the W3C's extended log format, which `CloudFront` separates with tabs and IIS with spaces.
//! A line `#Fields: date time c-ip …` says what the columns are.
//!
//! See <https://www.w3.org/TR/WD-logfile.html>.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{
    Entry, Problem, Settings, micros,
    time::{Zone, date},
};

/// The columns of `CloudFront`'s standard logs, for lines that come without their header.
const CLOUDFRONT: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for";

/// The places of the columns that are read.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    count: usize,
    date: Option<usize>,
    time: Option<usize>,
    client: Option<usize>,
    forwarded: Option<usize>,
    stem: Option<usize>,
    query: Option<usize>,
}

impl Columns {
    /// Parses the names after `#Fields:`.
    fn parse(names: &str) -> Self {
        let names: Vec<String> = names
            .split_ascii_whitespace()
            .map(str::to_ascii_lowercase)
            .collect();
        let place = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        Self {
            count: names.len(),
            date: place(&["date"]),
            time: place(&["time"]),
            client: place(&["c-ip"]),
            forwarded: place(&["x-forwarded-for", "cs(x-forwarded-for)"]),
            stem: place(&["cs-uri-stem", "cs-uri"]),
            query: place(&["cs-uri-query"]),
        }
    }

    /// Returns the columns of `CloudFront`.
    pub(super) fn cloudfront() -> Self {
        Self::parse(CLOUDFRONT)
    }

    /// Returns whether a line has these columns.
    pub(super) fn fit(&self, line: &str) -> bool {
        self.date
            .and_then(|date| values(line).nth(date))
            .is_some_and(is_date)
            && (line.contains('\t') || values(line).count() == self.count)
    }
}

/// Reads a line that begins with `#`. Returns `None` if it is not a directive of the format.
pub(super) fn directive(line: &str, columns: &mut Option<Columns>) -> Option<()> {
    let (name, value) = line.strip_prefix('#')?.split_once(':')?;
    if name.eq_ignore_ascii_case("fields") {
        *columns = Some(Columns::parse(value));
        return Some(());
    }
    let names = [
        "version",
        "software",
        "date",
        "start-date",
        "end-date",
        "remark",
    ];
    names
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
        .then_some(())
}

/// Returns whether a line is one of `CloudFront`, by its first two columns.
pub(super) fn is_cloudfront(line: &str) -> bool {
    let mut values = line.split('\t');
    values.next().is_some_and(is_date)
        && values
            .next()
            .is_some_and(|time| time.as_bytes().get(2) == Some(&b':'))
}

fn is_date(text: &str) -> bool {
    matches!(text.as_bytes(), [_, _, _, _, b'-', _, _, b'-', _, _])
}

/// Reads a line.
pub(super) fn entry<'a>(
    line: &'a str,
    columns: &Columns,
    settings: &Settings,
) -> Result<Entry<'a>, Problem> {
    let values: Vec<&str> = values(line).collect();
    let value = |place: Option<usize>| {
        let value = place.and_then(|place| values.get(place)).copied();
        value.filter(|value| *value != "-")
    };
    let written = value(columns.date).zip(value(columns.time));
    // The format has no time zones: all times are in UTC.
    let time = written.and_then(|(day, time)| date(&format!("{day}T{time}"), &Zone::default()));
    let time = time.ok_or_else(|| {
        Problem::unreadable("expected the columns date and time, such as 2015-05-17 and 10:05:03")
    })?;
    let forwarded = value(columns.forwarded).map(decoded).unwrap_or_default();
    let client = settings
        .trusted
        .client(&forwarded, value(columns.client).unwrap_or_default());
    let client = client.ok_or_else(|| {
        Problem::unreadable(
            "expected the client's IP address in the column c-ip or x-forwarded-for",
        )
    })?;
    let path = match (value(columns.stem), value(columns.query)) {
        (Some(stem), Some(query)) => Some(format!("{stem}?{query}").into()),
        (stem, _) => stem.map(Cow::Borrowed),
    };
    Ok(Entry {
        at: micros(time)?,
        client,
        path,
        tier: None,
    })
}

fn values(line: &str) -> impl Iterator<Item = &str> {
    let separator = if line.contains('\t') { '\t' } else { ' ' };
    line.split(separator)
}

/// Decodes the list of a header: `CloudFront` encodes some characters twice, IIS writes a space as `+`.
fn decoded(value: &str) -> String {
    let once = percent_decode_str(value).decode_utf8_lossy();
    let twice = percent_decode_str(&once).decode_utf8_lossy();
    twice.replace('+', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, columns: &Columns) -> (u64, String, Option<String>) {
        let entry = entry(line, columns, &Settings::default()).expect(line);
        let path = entry.path.map(Cow::into_owned);
        (entry.at, entry.client.address.to_string(), path)
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let expected = |path: &str| {
            (
                1_431_857_103_000_000,
                "203.0.113.7".to_owned(),
                Some(path.to_owned()),
            )
        };
        let line = "2015-05-17\t10:05:03\tFRA2\t512\t203.0.113.7\tGET\td111.cloudfront.net\t/a\t200\t-\tcurl/8.5\tq=1\t-\tHit\tabc=\texample.com\thttps\t23\t0.001\t-\tTLSv1.3";
        assert!(is_cloudfront(line));
        assert_eq!(read(line, &Columns::cloudfront()), expected("/a?q=1"));
        for list in [
            "1.2.3.4,%20203.0.113.7",
            "1.2.3.4%2C%20203.0.113.7",
            "1.2.3.4%252C%2520203.0.113.7",
        ] {
            let behind = line
                .replace("203.0.113.7", "10.0.0.2")
                .replace("\t-\tTLS", &format!("\t{list}\tTLS"));
            assert_eq!(
                read(&behind, &Columns::cloudfront()),
                expected("/a?q=1"),
                "{list}"
            );
        }

        let mut columns = None;
        for directive in [
            "#Software: Microsoft Internet Information Services 10.0",
            "#Version: 1.0",
            "#Date: 2015-05-17 10:00:00",
        ] {
            assert_eq!(super::directive(directive, &mut columns), Some(()));
            assert!(columns.is_none());
        }
        assert_eq!(directive("# a comment", &mut columns), None);
        assert_eq!(
            directive(
                "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip cs(X-Forwarded-For)",
                &mut columns
            ),
            Some(())
        );
        let columns = columns.expect("columns");
        let line = "2015-05-17 10:05:03 10.0.0.9 GET /a - 443 10.0.0.2 203.0.113.7,+10.0.0.3";
        assert!(columns.fit(line));
        assert_eq!(read(line, &columns), expected("/a"));
        assert!(!columns.fit("2015-05-17 10:05:03 10.0.0.9"));
        assert!(!columns.fit("a b c d e f g h i"));
    }

    #[test]
    fn what_was_expected_is_said() {
        let cases = [
            (
                "2015-13-17\t10:05:03\tFRA2\t512\t203.0.113.7",
                "the columns date and time",
            ),
            ("2015-05-17\t10:05:03\tFRA2\t512\t-", "c-ip"),
            ("2015-05-17", "the columns date and time"),
        ];
        for (line, expected) in cases {
            match entry(line, &Columns::cloudfront(), &Settings::default()) {
                Err(Problem::Unreadable(problem)) => {
                    assert!(problem.contains(expected), "{line}: {problem}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
