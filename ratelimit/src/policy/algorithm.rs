//! The names of the algorithms; their arithmetic is in [`crate::algorithm`].

use super::Quota;

/// How a quota is counted.
///
/// | | allows at once | over any window | memory per client |
/// | --- | --- | --- | --- |
/// | [`TokenBucket`](Self::TokenBucket) | `burst` | up to `limit + burst` | one number |
/// | [`SlidingWindow`](Self::SlidingWindow) | `limit` | never more than `limit` | some 10 bytes per admitted request |
/// | [`FixedWindow`](Self::FixedWindow) | `limit` | up to 2 × `limit` where two windows meet | two numbers |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Tokens drip in at `limit / per` up to `burst`, and each request takes some: smooth, with
    /// room for a burst, and the cheapest to keep.
    TokenBucket,
    /// At most `limit` requests in the window that ends now: exact, and fair at every instant.
    SlidingWindow,
    /// At most `limit` requests in a window that opens at the client's first request: the easiest
    /// to explain.
    FixedWindow,
}

impl Algorithm {
    /// The name that `#[rate_limit(algo = "…")]` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenBucket => "token_bucket",
            Self::SlidingWindow => "sliding_window",
            Self::FixedWindow => "fixed_window",
        }
    }

    /// The most requests that can be admitted at one instant: a request that costs more never is.
    pub const fn capacity(self, quota: &Quota) -> u32 {
        match self {
            Self::TokenBucket => quota.burst(),
            Self::SlidingWindow | Self::FixedWindow => quota.limit(),
        }
    }
}
