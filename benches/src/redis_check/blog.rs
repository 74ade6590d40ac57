//! What articles about `FastAPI` and Redis have their readers write, in Rust: it is the commands that
//! are compared here, and not Python. The app itself is in `benches/blog`.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    time::{SystemTime, UNIX_EPOCH},
};

use redis::{RedisError, aio::MultiplexedConnection};

use super::{LIMIT, Made, PER, arena::Arena};

/// A transaction, as redis-py makes of each pipeline unless told otherwise.
pub(super) fn sliding_window(arena: Arena<'_>) -> Made<'_> {
    let name = "the blog's pipeline: ZREMRANGEBYSCORE, ZADD, ZCARD, EXPIRE";
    let connect = async || arena.connection().await;
    arena.contestant(name, connect, |connection, n| {
        let mut connection = connection.clone();
        async move {
            let admitted = slide(&mut connection, &key(n)).await;
            admitted.unwrap_or(false)
        }
    })
}

/// It reads, and then writes: two who come at once may both take the last token.
pub(super) fn token_bucket(arena: Arena<'_>) -> Made<'_> {
    let name = "the blog's token bucket: HGETALL, then HSET, EXPIRE";
    let connect = async || arena.connection().await;
    arena.contestant(name, connect, |connection, n| {
        let mut connection = connection.clone();
        async move {
            let admitted = take(&mut connection, &key(n)).await;
            admitted.unwrap_or(false)
        }
    })
}

async fn slide(connection: &mut MultiplexedConnection, key: &str) -> Result<bool, RedisError> {
    let now = now();
    let (count,): (u32,) = redis::pipe()
        .atomic()
        .zrembyscore(key, 0, now - PER.as_secs_f64())
        .ignore()
        .zadd(key, now.to_string(), now)
        .ignore()
        .zcard(key)
        .expire(key, seconds())
        .ignore()
        .query_async(connection)
        .await?;
    Ok(count <= LIMIT)
}

async fn take(connection: &mut MultiplexedConnection, key: &str) -> Result<bool, RedisError> {
    let now = now();
    let limit = f64::from(LIMIT);
    let bucket: HashMap<String, f64> = redis::cmd("HGETALL")
        .arg(key)
        .query_async(connection)
        .await?;
    let tokens = bucket.get("tokens").copied().unwrap_or(limit);
    let since = bucket.get("last_refill").copied().unwrap_or(now);
    let refilled = limit.min(tokens + (now - since) * limit / PER.as_secs_f64());
    let admitted = refilled >= 1.0;
    let left = if admitted { refilled - 1.0 } else { refilled };
    let _: () = redis::pipe()
        .atomic()
        .hset_multiple(key, &[("tokens", left), ("last_refill", now)])
        .expire(key, seconds())
        .ignore()
        .query_async(connection)
        .await?;
    Ok(admitted)
}

fn key(n: u32) -> String {
    format!("ratelimit:{}", Ipv4Addr::from(n))
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

fn seconds() -> i64 {
    PER.as_secs().try_into().unwrap_or(i64::MAX)
}
