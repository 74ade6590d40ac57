//! What a bucket is kept by that processes lease slices of.
//!
//! What is in a slice was taken from the bucket when the slice was, and may be spent up to a
//! [`life`](Lease::life_micros) later. The bucket is therefore kept by a quota that is a little
//! tighter than the one that is promised, so that whatever the slices' holders do within that time,
//! what they admit is within the promised one:
//!
//! - **Sliding window**: what is spent within one window was taken within that window and one life
//!   before it. The books' window is longer by a life.
//! - **Token bucket**: what is spent within any time was taken within that time and one life before
//!   it, in which the bucket earns one life's tokens. The books' bucket holds as many fewer.
//! - **Fixed window**: a slice ends with its window. The books are the quota's own.

use super::{Algorithm, Quota};

/// A life is one part in so many of the window, or of the time in which a full bucket comes back.
const PARTS: u32 = 64;

/// No slice lives longer, in microseconds: for so long nobody else has what its holder does not
/// spend.
const LONGEST_LIFE: u64 = 1_000_000;

/// A slice of a shorter life would be over before much of it was spent.
const SHORTEST_LIFE: u64 = 5_000;

/// Of fewer requests nobody takes several at once.
const FEWEST: u32 = 16;

/// How a tier's buckets are leased under one algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// What the bucket is kept by.
    pub(crate) books: Quota,
    /// How long a slice may be spent after it was asked for.
    pub(crate) life_micros: u64,
}

impl Lease {
    /// `None` where the quota is too small, or its time too short, for anything to be gained.
    pub(super) const fn new(algorithm: Algorithm, quota: &Quota) -> Option<Self> {
        if algorithm.capacity(quota) < FEWEST {
            return None;
        }
        let lease = match algorithm {
            Algorithm::TokenBucket => Self::of_tokens(quota),
            Algorithm::SlidingWindow => {
                let life_micros = window_life(quota);
                Self {
                    books: quota.with_window_longer_by(life_micros),
                    life_micros,
                }
            }
            Algorithm::FixedWindow => Self {
                books: *quota,
                life_micros: window_life(quota),
            },
        };
        if lease.life_micros < SHORTEST_LIFE {
            return None;
        }
        Some(lease)
    }

    const fn of_tokens(quota: &Quota) -> Self {
        let most = quota.burst().div_ceil(PARTS);
        let mut life_micros = quota.tokens_micros(most);
        if life_micros > LONGEST_LIFE {
            life_micros = LONGEST_LIFE;
        }
        // At least what is earned in a life, and at most one part of the burst.
        #[expect(clippy::cast_possible_truncation, reason = "no more than `most`")]
        let reserve = quota.tokens_in(life_micros) as u32;
        Self {
            books: quota.with_burst(quota.burst() - reserve),
            life_micros,
        }
    }
}

const fn window_life(quota: &Quota) -> u64 {
    let part = quota.per_micros() / PARTS as u64;
    if part < LONGEST_LIFE {
        part
    } else {
        LONGEST_LIFE
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{algorithm::State, policy::TICKS_PER_MICRO};

    const ALGORITHMS: [Algorithm; 3] = [
        Algorithm::TokenBucket,
        Algorithm::SlidingWindow,
        Algorithm::FixedWindow,
    ];

    fn lease(algorithm: Algorithm, quota: Quota) -> Option<Lease> {
        Lease::new(algorithm, &quota)
    }

    #[test]
    fn a_life_is_a_small_part_and_so_is_what_the_books_hold_back() {
        use Algorithm::{FixedWindow, SlidingWindow, TokenBucket};
        let minute = Quota::per_minute;
        let life = |algorithm, quota| lease(algorithm, quota).map(|lease| lease.life_micros);

        assert_eq!(life(SlidingWindow, minute(60)), Some(937_500));
        assert_eq!(life(FixedWindow, Quota::per_hour(60)), Some(1_000_000));
        assert_eq!(life(TokenBucket, minute(60)), Some(1_000_000));
        assert_eq!(life(TokenBucket, minute(600).with_burst(20)), Some(100_000));
        assert_eq!(
            life(TokenBucket, Quota::per_second(1_000_000)),
            Some(15_625)
        );
        assert_eq!(
            life(SlidingWindow, minute(15)),
            None,
            "so few go one by one"
        );
        assert_eq!(life(TokenBucket, minute(600).with_burst(15)), None);
        assert_eq!(
            life(FixedWindow, Quota::new(16, Duration::from_millis(300))),
            None
        );

        let books = |algorithm, quota| lease(algorithm, quota).map(|lease| lease.books);
        assert_eq!(books(FixedWindow, minute(60)), Some(minute(60)));
        assert_eq!(
            books(TokenBucket, minute(60)),
            Some(minute(60).with_burst(59))
        );
        assert_eq!(
            books(TokenBucket, minute(6_000)),
            Some(minute(6_000).with_burst(5_906))
        );
        let sliding = books(SlidingWindow, minute(60)).expect("it is leased");
        assert_eq!((sliding.limit(), sliding.per_micros()), (60, 60_937_500));
    }

    /// What one holder does, in thousandths of a life: after so long it takes a slice of so many, and
    /// spends each of them so long later.
    #[derive(Clone, Debug)]
    struct Take {
        after: u64,
        spent_at: Vec<u64>,
    }

    /// Often at once or after a whole life, and often all at the beginning or the end of it: there
    /// most comes together.
    fn takes() -> impl Strategy<Value = Vec<Take>> {
        let after = prop_oneof![6 => Just(0), 2 => Just(1_000), 1 => 0..60_000_u64];
        let spent_at = prop_oneof![
            (1..12_usize).prop_map(|size| vec![0; size]),
            (1..12_usize).prop_map(|size| vec![999; size]),
            vec(0..1_000_u64, 1..12),
        ];
        let take = (after, spent_at).prop_map(|(after, spent_at)| Take { after, spent_at });
        vec(take, 1..60)
    }

    /// When requests are admitted by slices that the books gave out, in order; and the windows that
    /// a fixed window's books have opened.
    fn admissions(algorithm: Algorithm, lease: &Lease, takes: &[Take]) -> (Vec<u64>, Vec<u64>) {
        let mut books = State::new(algorithm);
        let (mut admitted, mut windows) = (Vec::new(), Vec::new());
        let mut now = 1_000_000_000;
        for Take { after, spent_at } in takes {
            now += lease.life_micros * after / 1_000;
            let size = u32::try_from(spent_at.len()).expect("a few");
            let decision = books.check(&lease.books, size, now);
            if !decision.allowed {
                continue;
            }
            let mut life = lease.life_micros;
            if algorithm == Algorithm::FixedWindow {
                let closes_in = crate::clock::micros(decision.reset_after);
                windows.push(now + closes_in - lease.books.per_micros());
                life = life.min(closes_in);
            }
            // The last microsecond of a life is before its end.
            admitted.extend(spent_at.iter().map(|part| now + (life - 1) * part / 999));
        }
        admitted.sort_unstable();
        windows.dedup();
        (admitted, windows)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn whatever_the_holders_of_slices_do_it_is_within_the_promised_quota(
            takes in takes(),
            limit in 16..80_u32,
            burst in 16..80_u32,
            millis in 400..5_000_u64,
        ) {
            let quota = Quota::new(limit, Duration::from_millis(millis)).with_burst(burst);
            for algorithm in ALGORITHMS {
                let Some(lease) = lease(algorithm, quota) else { continue };
                let (admitted, windows) = admissions(algorithm, &lease, &takes);
                match algorithm {
                    Algorithm::TokenBucket => {
                        for (first, &from) in admitted.iter().enumerate() {
                            for (last, &to) in admitted.iter().enumerate().skip(first) {
                                let ticks = (last - first + 1) as u64 * quota.interval_ticks();
                                let earned = (to - from) * TICKS_PER_MICRO;
                                prop_assert!(ticks <= quota.capacity_ticks() + earned);
                            }
                        }
                    }
                    Algorithm::SlidingWindow => {
                        for (n, &at) in admitted.iter().enumerate() {
                            let within = |before: &&u64| **before + quota.per_micros() > at;
                            let count = admitted[..=n].iter().filter(within).count();
                            prop_assert!(count <= limit as usize);
                        }
                    }
                    Algorithm::FixedWindow => {
                        for start in windows {
                            let window = start..start + quota.per_micros();
                            let count = admitted.iter().filter(|at| window.contains(at)).count();
                            prop_assert!(count <= limit as usize);
                        }
                    }
                }
            }
        }
    }
}
