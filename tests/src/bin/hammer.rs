//! One process of the exactness test: 64 tasks that ask for one bucket as fast as they can.
//!
//! `hammer <redis-url> <algorithm> <limit> <requests per task>` prints how many were admitted.

use std::{
    env,
    error::Error,
    io::{self, Write},
    time::Duration,
};

use ratelimit::{Bucket, RedisStore, Store, StoreError};
use ratelimit_tests::one_bucket;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, algorithm, limit, requests] = arguments.as_slice() else {
        return Err("usage: hammer <redis-url> <algorithm> <limit> <requests per task>".into());
    };
    let requests: usize = requests.parse()?;
    let bucket = one_bucket(algorithm, limit.parse()?);
    let store = RedisStore::builder(url)
        .timeout(Duration::from_secs(30))
        .connect()
        .await?;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { admitted(&store, &bucket, requests).await })
        })
        .collect();
    let mut total = 0;
    for task in tasks {
        total += task.await??;
    }
    writeln!(io::stdout(), "{total}")?;
    Ok(())
}

async fn admitted(
    store: &RedisStore,
    bucket: &Bucket,
    requests: usize,
) -> Result<usize, StoreError> {
    let mut admitted = 0;
    for _ in 0..requests {
        admitted += usize::from(store.check(bucket, 1).await?.allowed);
    }
    Ok(admitted)
}
