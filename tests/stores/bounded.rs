//! What an attacker can make the process remember.

use ratelimit_tests::Guarded;

/// 64 MB for 50,000 buckets and as many API keys as are looked up, and what the store last said of
/// 100,000 buckets. (10,000,000 clients make it no more; these are as many as a test has time for.)
#[cfg(target_os = "linux")]
#[test]
fn clients_without_number_and_keys_without_end_take_bounded_memory() {
    let mut flood = Guarded::start(env!("CARGO_BIN_EXE_flood"), &["400000"], &[]);
    let mut kilobytes = || -> u64 {
        let line = flood.line().expect("it has not failed");
        line.trim().parse().expect("a number")
    };
    let (half, end) = (kilobytes(), kilobytes());
    assert!(half < 64_000, "{half} kB");
    // By then all that is bounded is full.
    assert!(end < half + half / 10, "{half} kB, then {end} kB");
}
