//! Times as logs write them.

use std::str::FromStr;

use jiff::{
    Timestamp,
    civil::DateTime,
    fmt::{rfc2822, strtime},
    tz::TimeZone,
};

/// The seconds since 1970 that a number may mean: the years 2000 to 2099. The ranges of seconds,
/// milliseconds, microseconds and nanoseconds do not overlap. Durations are outside of all of them, but
/// for those of one to four seconds that are written in nanoseconds.
const PLAUSIBLE: std::ops::Range<f64> = 946_684_800.0..4_102_444_800.0;

/// The units of a number, as how many of them a second has.
const UNITS: [f64; 4] = [1.0, 1e3, 1e6, 1e9];

/// The time zone of times that are written without one.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for Zone {
    type Err = String;

    /// Reads an offset such as `+02:00`, or a name of the system's time zone database.
    fn from_str(text: &str) -> Result<Self, String> {
        let offset = ["%z", "%:z"]
            .iter()
            .find_map(|format| strtime::parse(format, text).ok()?.offset());
        if let Some(offset) = offset {
            return Ok(Self(TimeZone::fixed(offset)));
        }
        TimeZone::get(text).map(Self).map_err(|_| {
            "no such time zone: give an offset such as +02:00, or a name such as Europe/Berlin, \
             which needs the system's time zone database"
                .to_owned()
        })
    }
}

/// Parses a date with a time of day, with or without a time zone: ISO 8601, RFC 2822, or the common
/// log format's `17/May/2015:10:05:03 +0000`.
pub(super) fn date(text: &str, zone: &Zone) -> Option<Timestamp> {
    let text = text.trim();
    match text.as_bytes() {
        [_, _, b'/', ..] => common(text, zone),
        [b'0'..=b'9', _, _, _, b'-' | b'/', ..] => iso(text, zone),
        [_, _, _, b',', ..] => Some(rfc2822::parse(text).ok()?.timestamp()),
        _ => None,
    }
}

/// Parses `17/May/2015:10:05:03 +0000`, of which `HAProxy` writes milliseconds and no zone, and Python a
/// space for the first colon.
fn common(text: &str, zone: &Zone) -> Option<Timestamp> {
    if let Ok(parsed) = strtime::parse("%d/%b/%Y:%H:%M:%S%.f %z", text) {
        return parsed.to_timestamp().ok();
    }
    let formats = ["%d/%b/%Y:%H:%M:%S%.f", "%d/%b/%Y %H:%M:%S%.f"];
    let parsed = formats
        .iter()
        .find_map(|format| strtime::parse(format, text).ok())?;
    zone.0.to_timestamp(parsed.to_datetime().ok()?).ok()
}

/// Parses `2015-05-17T10:05:03Z` and what programs make of it: spaces, slashes, and names of UTC.
fn iso(text: &str, zone: &Zone) -> Option<Timestamp> {
    // A date alone is not a time.
    if !text.contains(':') {
        return None;
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let (text, is_utc) = ["UTC", "GMT"]
        .iter()
        .find_map(|name| Some((text.strip_suffix(name)?.trim_end(), true)))
        .unwrap_or((text, false));
    let mut plain = text.replacen('/', "-", 2);
    if let Some(space) = plain.rfind(" +").or_else(|| plain.rfind(" -")) {
        plain.remove(space);
    }
    if let Ok(time) = plain.parse() {
        return Some(time);
    }
    let time: DateTime = plain.parse().ok()?;
    let zone = if is_utc { &TimeZone::UTC } else { &zone.0 };
    zone.to_timestamp(time).ok()
}

/// Reads a number as seconds since 1970, or as thousandths, millionths or billionths of them,
/// whichever gives a time of this century. Other numbers, such as durations, are no times.
pub(super) fn since_1970(number: f64) -> Option<Timestamp> {
    let seconds = UNITS.iter().map(|unit| number / unit);
    let seconds = seconds.into_iter().find(|time| PLAUSIBLE.contains(time))?;
    // Rounded: most decimal fractions have no exact binary form.
    #[expect(clippy::cast_possible_truncation, reason = "less than 5e15")]
    let micros = (seconds * 1e6).round() as i64;
    Timestamp::from_microsecond(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROS: i64 = 1_431_857_103_250_000;

    #[test]
    fn dates_are_read_in_all_ways_that_programs_write_them() {
        let cases = [
            "2015-05-17T10:05:03.25Z",
            "2015-05-17T10:05:03.250000+00:00",
            "2015-05-17T12:05:03.25+02:00",
            "2015-05-17T12:05:03.25+0200",
            "2015-05-17 12:05:03.25 +0200",
            "2015-05-17 10:05:03,250 UTC",
            "2015-05-17 10:05:03.25 +0000 UTC",
            "2015/05/17 10:05:03.25 GMT",
            "17/May/2015:10:05:03.250 +0000",
            "17/May/2015:04:35:03.250 -0530",
        ];
        // A time that has a zone is in that one.
        let zone = "+07:00".parse().expect("a zone");
        for text in cases {
            let time = date(text, &zone).map(Timestamp::as_microsecond);
            assert_eq!(time, Some(MICROS), "{text}");
        }
        let whole = date("Sun, 17 May 2015 12:05:03 +0200", &zone);
        assert_eq!(whole.map(Timestamp::as_second), Some(1_431_857_103));
    }

    #[test]
    fn times_without_a_zone_are_in_the_one_that_is_given() {
        for zone in ["+02:00", "+0200"] {
            let zone = zone.parse().expect("a zone");
            let texts = [
                "2015-05-17T12:05:03.25",
                "2015-05-17 12:05:03,250",
                "2015/05/17 12:05:03.250",
                "17/May/2015:12:05:03.250",
                "17/May/2015 12:05:03.250",
            ];
            for text in texts {
                let time = date(text, &zone).map(Timestamp::as_microsecond);
                assert_eq!(time, Some(MICROS), "{text}");
            }
        }
        let error = "Middle/Earth".parse::<Zone>().expect_err("no zone");
        assert!(error.contains("such as +02:00"), "{error}");
    }

    #[test]
    fn what_is_no_time_is_none() {
        let texts = [
            "",
            "noon",
            "2015-05-17",
            "10:05:03",
            "2015-05-17T10:05",
            "17/Mai/2015:10:05:03 +0000",
            "17/May/2015:10:02:61 +0000",
            "2015-13-17T10:05:03Z",
            "2015-05-17T10:05:03 nowhere",
        ];
        let read = texts.map(|text| date(text, &Zone::default()));
        assert_eq!(read[4].map(Timestamp::as_second), Some(1_431_857_100));
        for (place, time) in read.iter().enumerate() {
            assert!(place == 4 || time.is_none(), "{}: {time:?}", texts[place]);
        }
    }

    #[test]
    fn numbers_are_times_of_this_century_in_one_of_four_units() {
        let numbers = [
            1_431_857_103.25,
            1.431_857_103_25e12,
            1.431_857_103_25e15,
            1.431_857_103_25e18,
        ];
        for number in numbers {
            let time = since_1970(number).map(Timestamp::as_microsecond);
            assert_eq!(time, Some(MICROS), "{number}");
        }
        let durations = [
            0.0,
            0.25,
            3.0,
            250.0,
            250_000.0,
            2.5e8,
            1e11,
            1e300,
            -1.0,
            f64::NAN,
            f64::INFINITY,
        ];
        for duration in durations {
            assert_eq!(since_1970(duration), None, "{duration}");
        }
    }
}
