//! How much a client may do: so many requests per window, and how many of them at once.

use std::time::Duration;

/// Ticks in a microsecond: the resolution of the token bucket's arithmetic.
///
/// Most rates do not divide a microsecond. At 4,096 ticks the interval between two tokens is wrong
/// by less than 0.03 % at 1,000,000 requests a second, and by less the slower the rate.
pub(crate) const TICKS_PER_MICRO: u64 = 1 << 12;

const DAY: Duration = Duration::from_secs(86_400);
const LONGEST_MICROS: u128 = 366 * DAY.as_micros();

/// So many requests per window of time.
///
/// ```
/// use std::time::Duration;
/// use ratelimit::Quota;
///
/// const SEARCH: Quota = Quota::per_minute(60).with_burst(20);
/// assert_eq!(SEARCH.limit(), 60);
/// assert_eq!(SEARCH.per(), Duration::from_secs(60));
/// assert_eq!(SEARCH.burst(), 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: u32,
    burst: u32,
    per_micros: u64,
    interval_ticks: u64,
    /// In units of 2^-64, rounded down: to multiply takes a fraction of what to divide does.
    tokens_per_tick: u64,
}

/// Why a [`Quota`] cannot exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// A limit of 0 would turn every request away.
    #[error(
        "a limit must be at least 1 request; to turn every request away, do not route the handler"
    )]
    ZeroLimit,
    /// A window of no length.
    #[error("a window must be longer than zero")]
    ZeroWindow,
    /// A window that is too long to keep exact time in.
    #[error("a window can be at most 366 days")]
    WindowTooLong,
    /// More requests than microseconds.
    #[error("a limit can be at most one request per microsecond of its window")]
    RateTooHigh,
    /// A bucket that holds nothing.
    #[error("a burst must be at least 1 request")]
    ZeroBurst,
    /// A bucket that would take over a year to fill.
    #[error(
        "a burst must be refilled within 366 days: lower the burst, raise the limit or shorten its window"
    )]
    BurstTooHigh,
}

impl QuotaError {
    const fn message(self) -> &'static str {
        match self {
            Self::ZeroLimit => "ratelimit: a limit must be at least 1 request",
            Self::ZeroWindow => "ratelimit: a window must be longer than zero",
            Self::WindowTooLong => "ratelimit: a window can be at most 366 days",
            Self::RateTooHigh => {
                "ratelimit: a limit can be at most one request per microsecond of its window"
            }
            Self::ZeroBurst => "ratelimit: a burst must be at least 1 request",
            Self::BurstTooHigh => "ratelimit: a burst must be refilled within 366 days",
        }
    }
}

impl Quota {
    /// `limit` requests per `per`, with a burst of `limit`.
    ///
    /// # Panics
    ///
    /// When [`Quota::try_new`] would be an error. In a `const` or `static` that is a compile error.
    #[track_caller]
    pub const fn new(limit: u32, per: Duration) -> Self {
        match Self::try_new(limit, per) {
            Ok(quota) => quota,
            Err(error) => panic!("{}", error.message()),
        }
    }

    /// `limit` requests per `per`, with a burst of `limit`, for limits that are known at run time.
    ///
    /// # Errors
    ///
    /// The limit or the window is zero, the window is longer than 366 days, or there are more
    /// requests than microseconds in it.
    pub const fn try_new(limit: u32, per: Duration) -> Result<Self, QuotaError> {
        if limit == 0 {
            return Err(QuotaError::ZeroLimit);
        }
        let per_micros = match window_micros(per) {
            Ok(micros) => micros,
            Err(error) => return Err(error),
        };
        if limit as u64 > per_micros {
            return Err(QuotaError::RateTooHigh);
        }
        // Rounded up, so that the rate is never more than was asked for.
        let interval_ticks = (per_micros * TICKS_PER_MICRO).div_ceil(limit as u64);
        Ok(Self {
            limit,
            burst: limit,
            per_micros,
            interval_ticks,
            tokens_per_tick: u64::MAX / interval_ticks,
        })
    }

    /// `limit` requests a second.
    ///
    /// # Panics
    ///
    /// As [`Quota::new`].
    #[track_caller]
    pub const fn per_second(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(1))
    }

    /// `limit` requests a minute.
    ///
    /// # Panics
    ///
    /// As [`Quota::new`].
    #[track_caller]
    pub const fn per_minute(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(60))
    }

    /// `limit` requests an hour.
    ///
    /// # Panics
    ///
    /// As [`Quota::new`].
    #[track_caller]
    pub const fn per_hour(limit: u32) -> Self {
        Self::new(limit, Duration::from_secs(3_600))
    }

    /// The same rate with room for `burst` requests at once: the capacity of a token bucket.
    ///
    /// # Panics
    ///
    /// When [`Quota::try_with_burst`] would be an error. In a `const` or `static` that is a compile
    /// error.
    #[track_caller]
    #[must_use]
    pub const fn with_burst(self, burst: u32) -> Self {
        match self.try_with_burst(burst) {
            Ok(quota) => quota,
            Err(error) => panic!("{}", error.message()),
        }
    }

    /// The same rate with room for `burst` requests at once, for bursts that are known at run time.
    ///
    /// # Errors
    ///
    /// The burst is zero, or it would take more than 366 days to refill.
    pub const fn try_with_burst(self, burst: u32) -> Result<Self, QuotaError> {
        if burst == 0 {
            return Err(QuotaError::ZeroBurst);
        }
        let refill = burst as u128 * self.interval_ticks as u128;
        if burst > self.limit && refill > LONGEST_MICROS * TICKS_PER_MICRO as u128 {
            return Err(QuotaError::BurstTooHigh);
        }
        Ok(Self { burst, ..self })
    }

    /// Requests per window.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// The window's length.
    pub const fn per(&self) -> Duration {
        Duration::from_micros(self.per_micros)
    }

    /// Requests that a full token bucket holds. The window algorithms do not use it.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// The window's length in microseconds.
    pub(crate) const fn per_micros(&self) -> u64 {
        self.per_micros
    }

    /// Ticks between two tokens of a token bucket.
    pub(crate) const fn interval_ticks(&self) -> u64 {
        self.interval_ticks
    }

    /// The same limit in a window that is longer by so many microseconds.
    pub(super) const fn with_window_longer_by(self, micros: u64) -> Self {
        Self {
            per_micros: self.per_micros + micros,
            ..self
        }
    }

    /// How long a token bucket takes to earn so many tokens, in whole microseconds.
    pub(super) const fn tokens_micros(&self, tokens: u32) -> u64 {
        tokens as u64 * self.interval_ticks / TICKS_PER_MICRO
    }

    /// The tokens that a token bucket earns in so many microseconds, rounded up.
    pub(super) const fn tokens_in(&self, micros: u64) -> u64 {
        (micros * TICKS_PER_MICRO).div_ceil(self.interval_ticks)
    }

    /// The whole tokens that so many ticks are worth.
    pub(crate) const fn tokens(&self, ticks: u64) -> u64 {
        let estimate = ((ticks as u128 * self.tokens_per_tick as u128) >> 64) as u64;
        // For each of fewer than 2^64 ticks it is short by 2^-64 at the most: by one token in all.
        let rest = ticks - estimate * self.interval_ticks;
        if rest < self.interval_ticks {
            estimate
        } else {
            estimate + 1
        }
    }

    /// Ticks that a full token bucket is worth.
    pub(crate) const fn capacity_ticks(&self) -> u64 {
        self.burst as u64 * self.interval_ticks
    }
}

const fn window_micros(per: Duration) -> Result<u64, QuotaError> {
    match per.as_micros() {
        0 => Err(QuotaError::ZeroWindow),
        #[expect(clippy::cast_possible_truncation, reason = "at most LONGEST_MICROS")]
        micros if micros <= LONGEST_MICROS => Ok(micros as u64),
        _ => Err(QuotaError::WindowTooLong),
    }
}

/// The window as it is: `#[rate_limit]` has a window that is a constant checked where it is written,
/// and not where a quota is made of it.
///
/// # Panics
///
/// No quota has such a window; in a `static` that is a compile error at the caller.
#[track_caller]
pub const fn window(per: Duration) -> Duration {
    match window_micros(per) {
        Ok(_) => per,
        Err(error) => panic!("{}", error.message()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_is_never_short_and_at_most_a_thousandth_long() {
        let day = DAY.as_secs();
        let cases = [
            (1, day),
            (7, 60),
            (60, 60),
            (700_000, 1),
            (999_983, 1),
            (1_000_000, 1),
            (86_399, day),
        ];
        for (limit, seconds) in cases {
            let quota = Quota::new(limit, Duration::from_secs(seconds));
            let exact = u128::from(seconds) * 1_000_000 * u128::from(TICKS_PER_MICRO);
            let ours = u128::from(quota.interval_ticks()) * u128::from(limit);
            assert!(ours >= exact, "{limit} per {seconds} s is too fast");
            assert!(
                (ours - exact) * 1_000 < exact,
                "{limit} per {seconds} s is more than 0.1 % slow"
            );
        }
    }

    proptest! {
        #[test]
        fn ticks_are_worth_as_many_tokens_as_there_are_intervals_in_them(
            limit in 1..=u32::MAX,
            seconds in 4_295..=366 * 86_400_u64,
            ticks in any::<u64>(),
            tokens in any::<u32>(),
        ) {
            let quota = Quota::new(limit, Duration::from_secs(seconds));
            let interval = quota.interval_ticks();
            prop_assert_eq!(quota.tokens(ticks), ticks / interval);
            if let Some(ticks) = u64::from(tokens).checked_mul(interval) {
                prop_assert_eq!(quota.tokens(ticks), u64::from(tokens));
                prop_assert_eq!(quota.tokens(ticks + interval - 1), u64::from(tokens));
            }
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let second = Duration::from_secs(1);
        assert_eq!(Quota::try_new(0, second), Err(QuotaError::ZeroLimit));
        assert_eq!(
            Quota::try_new(1, Duration::ZERO),
            Err(QuotaError::ZeroWindow)
        );
        assert_eq!(Quota::try_new(1, DAY * 367), Err(QuotaError::WindowTooLong));
        assert_eq!(
            Quota::try_new(1_000_001, second),
            Err(QuotaError::RateTooHigh)
        );
        let daily = Quota::new(1, DAY);
        assert_eq!(daily.try_with_burst(0), Err(QuotaError::ZeroBurst));
        assert_eq!(daily.try_with_burst(367), Err(QuotaError::BurstTooHigh));
        assert!(daily.try_with_burst(365).is_ok());
        assert!(
            Quota::try_new(u32::MAX, DAY * 366).is_ok(),
            "the largest limit and the longest window fit in one quota"
        );
    }
}
