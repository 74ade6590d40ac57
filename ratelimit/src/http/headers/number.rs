//! Numbers as header values, without allocating for those that there mostly are, and once for others.

use axum::body::Bytes;
use http::HeaderValue;

/// Numbers below this have their digits ready: 40 KB of them.
const READY: u32 = 10_000;

/// The digits of each number in four places, with zeros in front: "000000010002…".
static DIGITS: &str = match str::from_utf8(PLACES.as_flattened()) {
    Ok(digits) => digits,
    Err(_) => panic!("digits are text"),
};

static PLACES: [[u8; 4]; READY as usize] = {
    const ZEROS: u32 = u32::from_be_bytes(*b"0000");
    let mut all = [[0; 4]; READY as usize];
    let mut n = 0;
    while n < READY {
        // Each of the four is below ten, so that none runs into the next.
        let places = [n / 1000, n / 100 % 10, n / 10 % 10, n % 10];
        let digits = (places[0] << 24) + (places[1] << 16) + (places[2] << 8) + places[3];
        all[n as usize] = (ZEROS + digits).to_be_bytes();
        n += 1;
    }
    all
};

/// A number's value.
pub(super) fn number(n: u64) -> HeaderValue {
    match ready(n) {
        Some(digits) => HeaderValue::from_static(digits),
        // As a whole: what grows into its place is allocated twice.
        None => HeaderValue::from_str(itoa::Buffer::new().format(n))
            .unwrap_or_else(|_| HeaderValue::from(n)),
    }
}

fn ready(n: u64) -> Option<&'static str> {
    let zeros = match n {
        0..10 => 3,
        10..100 => 2,
        100..1_000 => 1,
        1_000..10_000 => 0,
        _ => return None,
    };
    let first = usize::try_from(n).ok()? * 4;
    DIGITS.get(first + zeros..first + 4)
}

/// The value of a number that has these digits.
pub(super) fn of_digits(digits: &'static [u8], n: u64) -> HeaderValue {
    let value = HeaderValue::from_maybe_shared(Bytes::from_static(digits));
    // Of digits it always is one.
    value.unwrap_or_else(|_| HeaderValue::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_as_it_should() {
        for n in (0..20_000).chain([u64::from(u32::MAX), u64::MAX]) {
            assert_eq!(number(n), n.to_string());
        }
    }
}
