//! Values in Redis that another program has written: they are read within bounds, and are no outage.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{Extension, Router, routing::get};
use ratelimit::{ManualClock, RateLimiter, StoreHealth, rate_limit};
use ratelimit_tests::{App, RedisServer, eventually};
use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};

use super::super::{limiter_on, notices::Log};

const BYPASS: &str = "ratelimit:{fleet}:bypass";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const THIRTY_YEARS: u64 = 30 * 365 * 24 * 60 * 60;

#[rate_limit(limit = 1, per = "1h", name = "of stored values")]
async fn limited() {}

async fn start(limiter: &RateLimiter) -> App {
    let router = Router::new()
        .route("/", get(limited))
        .layer(Extension(limiter.clone()));
    App::start(router).await
}

fn health(limiter: &RateLimiter) -> StoreHealth {
    limiter.store_health().expect("a store that can be out")
}

fn millis(time: SystemTime) -> u128 {
    let since = time.duration_since(UNIX_EPOCH);
    since.expect("later than 1970").as_millis()
}

/// A bypass as a process writes it.
fn bypass(reason: &str, since_ms: u128) -> Vec<u8> {
    format!(r#"{{"reason":"{reason}","since_ms":{since_ms}}}"#).into_bytes()
}

async fn write(redis: &mut MultiplexedConnection, value: impl AsRef<[u8]>, seconds: u64) {
    let _: () = redis
        .set_ex(BYPASS, value.as_ref(), seconds)
        .await
        .expect("written");
}

/// The bytes that the server has sent to all of its clients.
async fn sent_by(redis: &mut MultiplexedConnection) -> u64 {
    const NAME: &str = "total_net_output_bytes:";
    let info: String = cmd("INFO")
        .arg("stats")
        .query_async(redis)
        .await
        .expect("INFO");
    let mut lines = info.lines();
    let sent = lines.find_map(|line| line.strip_prefix(NAME));
    sent.expect("a number of bytes").parse().expect("a number")
}

/// Waits until the limiter has read the bypass twice more.
async fn until_read(server: &RedisServer) {
    let before = server.calls("getrange").await;
    let is_read = async || server.calls("getrange").await >= before + 2;
    eventually("reads of the bypass", is_read).await;
}

#[tokio::test]
async fn a_bypass_of_thirty_years_lasts_a_day() {
    let server = RedisServer::start();
    let clock = ManualClock::new();
    let store = server.builder().clock(clock.clone()).connect().await;
    let limiter = RateLimiter::builder().store(store.expect("a redis-server"));
    let limiter = limiter.build().expect("nothing is wrong with it");
    let mut redis = server.connection().await;
    let value = bypass("for ever", millis(SystemTime::now()));
    write(&mut redis, value, THIRTY_YEARS).await;
    eventually("the bypass", async || limiter.bypass().is_some()).await;
    let seen = limiter.bypass().expect("it is on");
    assert!(seen.until <= SystemTime::now() + DAY, "{seen:?}");

    // It is still there, and is not followed again.
    clock.advance(DAY);
    for _ in 0..2 {
        until_read(&server).await;
        assert_eq!(limiter.bypass(), None);
    }
    // Another one is.
    let value = bypass("again", millis(SystemTime::now()));
    write(&mut redis, value, 60).await;
    eventually("another bypass", async || limiter.bypass().is_some()).await;
    // One of long ago is over, also in a process that did not see it.
    let value = bypass("of old", millis(SystemTime::now() - 2 * DAY));
    write(&mut redis, value, THIRTY_YEARS).await;
    eventually("no bypass", async || limiter.bypass().is_none()).await;
}

#[tokio::test]
async fn what_is_no_bypass_is_neither_followed_nor_fetched_nor_an_outage() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let app = start(&limiter).await;
    app.use_up("/").await;
    let mut redis = server.connection().await;
    let now = millis(SystemTime::now());
    let values = [
        bypass(&"long".repeat(25_000_000), now),
        bypass("in the far future", now + 3 * DAY.as_millis()),
        bypass("in the farthest future", u64::MAX.into()),
        bypass("later than that", u128::MAX),
        br#"{"reason":"negative","since_ms":-1}"#.to_vec(),
        br#"{"reason":"a float","since_ms":1e300}"#.to_vec(),
        br#"{"reason":["no text"],"since_ms":1}"#.to_vec(),
        br#"{"since_ms":1}"#.to_vec(),
        b"[".repeat(4_000),
        b"\xff\xfe\0".to_vec(),
        b" ".to_vec(),
    ];
    let (log, _guard) = Log::begin();
    for value in values {
        write(&mut redis, &value, THIRTY_YEARS).await;
        let sent_before = sent_by(&mut redis).await;
        until_read(&server).await;
        let sent = sent_by(&mut redis).await - sent_before;
        assert!(sent < 1_000_000, "{sent} bytes were read");
        assert_eq!(limiter.bypass(), None, "{:?}", value.get(..50));
    }
    // Without an end, and of another type.
    let _: () = redis.set(BYPASS, bypass("no end", now)).await.expect("set");
    until_read(&server).await;
    assert_eq!(limiter.bypass(), None);
    let _: () = redis.del(BYPASS).await.expect("removed");
    let _: () = redis.rpush(BYPASS, "a list").await.expect("pushed");
    until_read(&server).await;
    assert_eq!(limiter.bypass(), None);

    assert_eq!(app.status("/").await, 429);
    assert_eq!(health(&limiter).outages, 0);
    let lines = log.lines();
    let lines = lines.iter().filter(|line| line.contains("follow a bypass"));
    assert_eq!(lines.count(), 1, "{:?}", log.lines());
}

#[tokio::test]
async fn bypasses_that_change_at_each_read_are_a_line_a_second() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let mut redis = server.connection().await;
    let (log, _guard) = Log::begin();
    let began = std::time::Instant::now();
    let mut n = 0_u64;
    while began.elapsed() < Duration::from_millis(2_500) || log.lines().len() < 2 {
        n += 1;
        let reason = format!(r"{n}\n{}", "x".repeat(450));
        write(&mut redis, bypass(&reason, millis(SystemTime::now())), 60).await;
    }
    let _: () = redis.del(BYPASS).await.expect("removed");
    eventually("the end of the bypass", async || {
        let lines = log.lines();
        let last = lines.last().expect("a bypass was logged");
        limiter.bypass().is_none() && last.contains("has ended")
    })
    .await;
    let at_most = began.elapsed().as_secs() + 1;
    let lines = log.lines();
    assert!(lines.len() as u64 <= at_most, "{lines:#?}");
    assert!(lines.len() > 1 && n > 100, "{lines:#?}");
    for line in &lines {
        assert!(line.len() < 500 && line.contains("WARN"), "{line}");
    }
}

/// The slots of the stats about now.
fn slots() -> impl Iterator<Item = u64> {
    let now = u64::try_from(millis(SystemTime::now()) / 10_000).expect("a time");
    now - 6..now + 6
}

#[tokio::test]
async fn stats_of_any_bytes_are_no_panic_and_no_outage() {
    let server = RedisServer::start();
    let limiter = limiter_on(&server).await;
    let app = start(&limiter).await;
    app.use_up("/").await;
    let mut redis = server.connection().await;
    let corrupted = [b"HYLL\x01".as_slice(), &[0xff; 40]].concat();
    let large = vec![0xff; 50_000_000];
    let strings: [&[u8]; 6] = [b"", b"x", &[0xff; 3], &[0xff; 5_000], &corrupted, &large];
    for (name, adds) in [("stats", "bitfield"), ("clients", "pfadd")] {
        for value in strings {
            for slot in slots() {
                let key = format!("ratelimit:{{fleet}}:{name}:{slot}");
                // Large ones are few: each takes the server's memory.
                if value.len() < 1_000_000 || slot % 6 == 0 {
                    let _: () = redis.set(&key, value).await.expect("set");
                }
            }
            let sent_before = sent_by(&mut redis).await;
            let read = limiter.fleet_figures().await;
            let sent = sent_by(&mut redis).await - sent_before;
            assert!(sent < 1_000_000, "{sent} bytes were read");
            if name == "stats" {
                let stats = read.expect("numbers").expect("a store that has some");
                assert!(stats.check.is_none_or(|check| check.p50 <= check.p99));
            }
        }
        let lists = slots().map(|slot| format!("ratelimit:{{fleet}}:{name}:{slot}"));
        for key in lists {
            let _: () = redis.del(&key).await.expect("removed");
            let _: () = redis.rpush(&key, "a list").await.expect("pushed");
        }
        let error = limiter.fleet_figures().await.expect_err("lists");
        assert!(error.to_string().contains("WRONGTYPE"), "{error}");
        // The process goes on to add to what is there.
        let before = server.calls(adds).await;
        eventually(adds, async || {
            assert_eq!(app.status("/").await, 429);
            server.calls(adds).await >= before + 2
        })
        .await;
        for slot in slots() {
            let key = format!("ratelimit:{{fleet}}:{name}:{slot}");
            let _: () = redis.del(key).await.expect("removed");
        }
    }
    let health = health(&limiter);
    assert!(health.is_up && health.outages == 0, "{health:?}");
    eventually("stats again", async || {
        app.status("/").await;
        let stats = limiter.fleet_figures().await;
        stats.is_ok_and(|stats| stats.is_some_and(|stats| stats.requests_per_minute > 0))
    })
    .await;
}
