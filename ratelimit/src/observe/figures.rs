//! The three figures of a rate limiter.

use super::Latency;

/// How a limiter has done in the last minute: of this process
/// ([`RateLimiter::figures`](crate::RateLimiter::figures)), or of all that share a Redis
/// ([`RateLimiter::fleet_figures`](crate::RateLimiter::fleet_figures)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Requests under any policy. One that two policies limit counts under each.
    pub requests_per_minute: u64,
    /// Requests that were turned away.
    pub limited_per_minute: u64,
    /// How many different clients were turned away, to about 2 % where there are many
    /// (a [HyperLogLog](https://algo.inria.fr/flajolet/Publications/FlFuGaMe07.pdf)).
    pub limited_clients: u64,
    /// How long a check took; `None` where there was none. In memory, one check of 32 is timed.
    pub check: Option<Latency>,
}
