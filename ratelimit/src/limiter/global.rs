//! The one limiter of the program.

use once_cell::sync::OnceCell;

use super::RateLimiter;
use crate::policy::registry;

static GLOBAL: OnceCell<RateLimiter> = OnceCell::new();

/// There is a limiter for the program already: one was installed, or a request came before and is
/// limited in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the program has a rate limiter already: call install() once, before the first request, or put this one on its router with axum::Extension"
)]
pub struct AlreadyInstalled;

impl RateLimiter {
    /// Makes this the limiter of every handler whose router brings no other, and logs the limits of the
    /// program: an event at the level INFO for each handler and shared policy, with the fields `policy`,
    /// `source` (what has the policy, if that has another name), `limits` and `location`, and one with
    /// their `count`. Policies that become known later are logged
    /// then; see [`policies`](crate::policies).
    ///
    /// # Errors
    ///
    /// Returns an error if the program has a limiter already. Nothing is logged then.
    pub fn install(self) -> Result<(), AlreadyInstalled> {
        GLOBAL.set(self).map_err(|_| AlreadyInstalled)?;
        registry::log_policies();
        Ok(())
    }

    /// The limiter of the program: the one installed, or one in memory where none is.
    pub fn global() -> &'static Self {
        GLOBAL.get_or_init(Self::default)
    }
}
