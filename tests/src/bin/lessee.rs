//! One of several processes that lease slices of one bucket.
//!
//! `lessee <redis url> <algorithm> <limit> <milliseconds>` hammers the bucket from 8 tasks, and prints
//! of each request that is admitted when it was asked for and when it was admitted, in microseconds
//! of the machine's time, until nothing is left that will be there within the minute.

use std::{
    env,
    error::Error,
    io::{self, Write},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ratelimit::{Algorithm, Bucket, Quota, RateLimiter, RedisStore, Store};
use ratelimit_tests::{ALGORITHMS, bucket, patient, policy};

const TASKS: usize = 8;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, algorithm, limit, millis] = &arguments[..] else {
        return Err("usage: lessee <redis url> <algorithm> <limit> <milliseconds>".into());
    };
    let algorithm = named(algorithm).ok_or("no such algorithm")?;
    let quota = Quota::try_new(limit.parse()?, Duration::from_millis(millis.parse()?))?;
    let bucket = bucket(policy("hammered", algorithm, quota), 1);
    let builder = RedisStore::builder(url).leases();
    let store = patient(builder).connect().await?;
    let limiter = RateLimiter::builder().store(store.clone()).build()?;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| tokio::spawn(hammer(store.clone(), bucket)))
        .collect();
    for task in tasks {
        task.await??;
    }
    limiter.give_back_leases().await;
    Ok(())
}

fn named(name: &str) -> Option<Algorithm> {
    ALGORITHMS.into_iter().find(|known| known.name() == name)
}

async fn hammer(store: RedisStore, bucket: Bucket) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let asked = micros()?;
        let decision = store.check(&bucket, 1).await?;
        if decision.allowed {
            // At once: what is printed later may never be.
            io::stdout().write_all(format!("{asked} {}\n", micros()?).as_bytes())?;
        } else if decision.retry_after.is_none_or(|time| time > MINUTE) {
            return Ok(());
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::task::yield_now().await;
    }
}

fn micros() -> Result<u128, Box<dyn Error + Send + Sync>> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())
}
