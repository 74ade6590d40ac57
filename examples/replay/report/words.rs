//! Numbers and times as they are read.

use jiff::Timestamp;

/// `17 May 2015 10:05:03`
pub(super) const DATE: &str = "%-d %b %Y %H:%M:%S";
/// `17 May 10:05:03`
pub(super) const TIME: &str = "%-d %b %H:%M:%S";
/// `17 May 10:05`
pub(super) const MINUTE: &str = "%-d %b %H:%M";

const UNITS: [(u64, &str); 4] = [
    (86_400, "day"),
    (3_600, "hour"),
    (60, "minute"),
    (1, "second"),
];

/// A time in microseconds since 1970, in UTC.
pub(super) fn time(micros: u64, format: &str) -> String {
    let time = i64::try_from(micros).map(Timestamp::from_microsecond);
    match time {
        Ok(Ok(time)) => time.strftime(format).to_string(),
        // Where the last bin of a plot ends after the year 9999.
        _ => "later".to_owned(),
    }
}

/// `10,000`
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 request`, `10,000 requests`
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(count), plural(count))
}

/// What a noun ends with.
pub(super) fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// `0.23 %`, of which what is more than nothing does not read as nothing.
pub(super) fn share(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits after the point")]
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    match part {
        0 => "0 %".to_owned(),
        _ if percent < 0.01 => "<0.01 %".to_owned(),
        _ => format!("{percent:.2} %"),
    }
}

/// `10 minutes`, of microseconds that are whole seconds.
pub(super) fn length(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let whole = UNITS
        .into_iter()
        .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (unit, name) = whole.unwrap_or((1, "second"));
    counted(seconds / unit, name)
}

/// `10 minutes`, of microseconds that are not more than that.
pub(super) fn at_most(micros: u64) -> String {
    let seconds = micros.div_ceil(1_000_000);
    let coarse = UNITS.into_iter().find(|(unit, _)| seconds >= 2 * unit);
    let (unit, name) = coarse.unwrap_or((1, "second"));
    counted(seconds.div_ceil(unit), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_well() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1_000, 1_234_567]
                .map(number)
                .each_ref()
                .map(String::as_str)
        );
        assert_eq!(share(0, 10), "0 %");
        assert_eq!(share(1, 100_000), "<0.01 %");
        assert_eq!(share(23, 10_000), "0.23 %");
        assert_eq!(share(1, 1), "100.00 %");
        assert_eq!(at_most(1), "1 second");
        assert_eq!(at_most(598_000_000), "10 minutes");
        assert_eq!(at_most(90_061_000_000), "26 hours");
        assert_eq!(length(1_000_000), "1 second");
        assert_eq!(length(90_000_000), "90 seconds");
        assert_eq!(length(600_000_000), "10 minutes");
        assert_eq!(length(172_800_000_000), "2 days");
        assert_eq!(time(1_431_857_103_000_000, DATE), "17 May 2015 10:05:03");
    }
}
