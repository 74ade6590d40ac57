//! The one limiter of the program.

use once_cell::sync::OnceCell;

use super::RateLimiter;
use crate::policy::policies;

static GLOBAL: OnceCell<RateLimiter> = OnceCell::new();

/// There is a limiter for the program already: one was installed, or a request came before and is
/// limited in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the program has a rate limiter already: call install() once, before the first request, or put this one on its router with axum::Extension"
)]
pub struct AlreadyInstalled;

impl RateLimiter {
    /// Makes this the limiter of every handler whose router brings no other, and logs which handlers
    /// of the program are limited.
    ///
    /// # Errors
    ///
    /// There is one already.
    pub fn install(self) -> Result<(), AlreadyInstalled> {
        GLOBAL.set(self).map_err(|_| AlreadyInstalled)?;
        let limited: Vec<String> = policies().iter().map(ToString::to_string).collect();
        tracing::info!("rate limits are in force: {}", limited.join("; "));
        Ok(())
    }

    /// The limiter of the program: the one installed, or one in memory where none is.
    pub fn global() -> &'static Self {
        GLOBAL.get_or_init(Self::default)
    }
}
