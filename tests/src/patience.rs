//! Waiting, on a machine on which much else goes on.

use std::time::{Duration, Instant};

use ratelimit::RedisStoreBuilder;

/// Longer than anything takes that is waited for here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A store that waits for its answers: for tests of anything but how long it waits.
pub fn patient(builder: RedisStoreBuilder) -> RedisStoreBuilder {
    builder.timeout(PATIENCE).connect_timeout(PATIENCE)
}

/// Waits until it is so.
///
/// # Panics
///
/// It takes too long: `what` has not come about.
pub async fn eventually<F>(what: &str, mut is_so: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "{what} has not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
