//! Which headers tell clients where they stand.

/// Which headers tell clients where they stand. `Retry-After` comes with every 429, in all styles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderStyle {
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, as most APIs send them.
    #[default]
    XRateLimit,
    /// `RateLimit-Policy` and `RateLimit`, as in the [IETF draft], version 11.
    ///
    /// [IETF draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/11/
    Ietf,
    /// Those of both.
    Both,
    /// None.
    None,
}
