//! What is in Redis: how much, for how long, and under which name.

use std::{iter, time::Duration};

use ratelimit::{Algorithm, ClientId, Decision, ManualClock, Quota, RedisStore, Store, StoreError};
use ratelimit_tests::{ALGORITHMS, Random, RedisServer, bucket, policy};
use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};

async fn store(prefix: &str) -> (RedisStore, MultiplexedConnection) {
    let server = RedisServer::shared();
    let store = server
        .builder()
        .prefix(prefix)
        .connect()
        .await
        .expect("a redis-server");
    (store, server.connection().await)
}

async fn keys(connection: &mut MultiplexedConnection, prefix: &str) -> Vec<String> {
    connection
        .keys(format!("{prefix}*"))
        .await
        .expect("the names of keys")
}

#[tokio::test]
async fn a_log_of_600_entries_takes_8_kb_at_the_most() {
    let (store, mut connection) = store("log:").await;
    let policy = policy("log", Algorithm::SlidingWindow, Quota::per_hour(600));
    let bucket = bucket(policy, 1);
    let mut sizes = Vec::new();
    for n in 1..=700 {
        let decision = store.check(&bucket, 1).await.expect("a decision");
        assert_eq!(decision.allowed, n <= 600);
        if [1, 60, 600, 700].contains(&n) {
            let size: u64 = cmd("MEMORY")
                .arg("USAGE")
                .arg(format!("log:{bucket}"))
                .query_async(&mut connection)
                .await
                .expect("a size");
            sizes.push((n, size));
        }
    }
    let at = |n| sizes.iter().find(|(at, _)| *at == n).expect("measured").1;
    assert!(at(600) <= 8 * 1024, "{sizes:?}");
    assert_eq!(at(600), at(700), "denied requests are not recorded");
    assert!(
        at(1) < 300 && at(60) < 1_000,
        "it grows with use: {sizes:?}"
    );
}

#[tokio::test]
async fn a_log_goes_on_for_ever_in_little_room_and_keeps_its_order_when_it_is_long() {
    let mut connection = RedisServer::shared().connection().await;
    let clock = ManualClock::new();
    let store = RedisServer::shared()
        .builder()
        .prefix("long:")
        .clock(clock.clone())
        .connect()
        .await
        .expect("a redis-server");
    let policy = policy(
        "long",
        Algorithm::SlidingWindow,
        Quota::new(280, Duration::from_secs(10)),
    );
    let bucket = bucket(policy, 1);
    let key = format!("long:{bucket}");
    // Ten a second are never more than a hundred in the window, however long it goes on.
    for _ in 0..500 {
        clock.advance(Duration::from_secs(1));
        assert!(store.check(&bucket, 10).await.expect("a decision").allowed);
        let length: usize = connection.strlen(&key).await.expect("a string");
        assert!(length <= 128 * 8, "{length} bytes");
    }
    // Then as many as fit in, beside those.
    let mut admitted = 0;
    while admitted <= 280 && store.check(&bucket, 3).await.expect("a decision").allowed {
        admitted += 3;
    }
    assert_eq!(admitted, 180);
    // Those of one instant are one entry.
    let length: usize = connection.llen(&key).await.expect("a list");
    assert_eq!(length, 10);
    clock.advance(Duration::from_secs(1));
    let decision = store.check(&bucket, 10).await.expect("a decision");
    assert!(decision.allowed, "the oldest ten have left");
    assert_eq!(decision.remaining, 0);
    let later: usize = connection.llen(&key).await.expect("a list");
    assert_eq!(later, 10);
    // And short again, once all have left.
    clock.advance(Duration::from_secs(10));
    let decision = store.check(&bucket, 10).await.expect("a decision");
    assert_eq!((decision.allowed, decision.remaining), (true, 270));
    let length: usize = connection.strlen(&key).await.expect("a string");
    assert_eq!(length, 10 * 8);
}

#[tokio::test]
async fn every_key_expires() {
    let (store, mut connection) = store("expiry:").await;
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("expiry", algorithm, Quota::per_minute(10)), 1);
        for _ in 0..12 {
            store.check(&bucket, 1).await.expect("a decision");
            for key in keys(&mut connection, "expiry:").await {
                let ttl: i64 = connection.pttl(&key).await.expect("a time to live");
                assert!((1..=70_002).contains(&ttl), "{key} lives for {ttl} ms");
            }
        }
    }
    assert_eq!(keys(&mut connection, "expiry:").await.len(), 3);
}

/// What a store does that has a clock of its own is the same, except that a key lives for a day more.
#[tokio::test]
async fn a_key_lives_for_as_long_as_it_says_anything_and_not_much_longer() {
    const DAY: i64 = 86_400_000;
    let mut connection = RedisServer::shared().connection().await;
    let clock = ManualClock::at(Duration::from_secs(1_764_000_000));
    let store = RedisStore::builder(RedisServer::shared().url())
        .prefix("lives:")
        .clock(clock.clone())
        .timeout(Duration::from_secs(10))
        .connect()
        .await
        .expect("a redis-server");
    for (seed, algorithm) in (1..).zip(ALGORITHMS) {
        let quota = Quota::new(100, Duration::from_secs(50));
        let bucket = bucket(policy("lives", algorithm, quota), 1);
        let key = format!("lives:{bucket}");
        let mut random = Random::new(seed);
        let (mut now, mut lives_until, mut renewals) = (1_764_000_000_000, 0, 0);
        let mut taken = None;
        for round in 0..1_000 {
            now += match random.below(20) {
                0 => random.below(100_000).cast_signed(),
                1 => -random.below(100_000).cast_signed(),
                _ => random.below(700).cast_signed(),
            };
            clock.set(Duration::from_millis(now.cast_unsigned()));
            // Longer than any that is set, so that it is seen whether one is.
            let _: () = connection.pexpire(&key, 10 * DAY).await.expect("set");
            let cost = u32::try_from(random.below(4)).expect("small");
            let decision = match (random.below(8), taken) {
                (0, Some((cost, taken))) => store.refund(&bucket, cost, &taken).await,
                (1, _) => store.charge(&bucket, cost).await,
                _ => store.check(&bucket, cost).await,
            };
            let decision = decision.expect("a decision");
            taken = decision.allowed.then_some((cost, decision));
            let life: i64 = connection.pttl(&key).await.expect("a time to live");
            let says_until = now + i64::try_from(decision.reset_after.as_millis()).expect("short");
            let at = format!("{algorithm:?} round {round}: {life} ms from {now}, {decision:?}");
            assert_ne!(life, -1, "it expires: {at}");
            if life < 9 * DAY {
                lives_until = if life < 0 { 0 } else { now + life - DAY };
                renewals += 1;
                assert!(lives_until <= says_until + 10_001, "{at}");
            }
            let says_something = decision.reset_after > Duration::ZERO;
            // A little less is left of it when it is asked for.
            let lives = lives_until + 1_000 >= says_until;
            assert!(lives || !says_something, "until {lives_until}: {at}");
        }
        assert!((50..500).contains(&renewals), "{algorithm:?}: {renewals}");
    }
}

#[tokio::test]
async fn a_look_leaves_nothing() {
    let (store, mut connection) = store("look:").await;
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("look", algorithm, Quota::per_minute(10)), 1);
        for cost in [0, 11, u32::MAX] {
            let decision = store.check(&bucket, cost).await.expect("a decision");
            assert_eq!(decision.allowed, cost == 0);
            assert_eq!((decision.remaining, decision.retry_after), (10, None));
        }
    }
    assert_eq!(keys(&mut connection, "look:").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_bucket_is_named_after_its_client_without_the_key() {
    let (store, mut connection) = store("names:").await;
    let policy = policy("search", Algorithm::FixedWindow, Quota::per_minute(10));
    let client = ClientId::api_key(b"secret-key");
    let bucket = ratelimit::Bucket::new(policy, policy.default_tier(), client).expect("limited");
    store.check(&bucket, 1).await.expect("a decision");
    assert_eq!(
        keys(&mut connection, "names:").await,
        ["names:{key:85dbe15d75ef9308c7ae0f33c7a324cc}:search:default:fixed_window:10/60s"]
    );
}

#[tokio::test]
async fn a_server_that_has_lost_the_scripts_is_given_them_again() {
    let server = RedisServer::start();
    let store = server.store().await;
    let mut connection = server.connection().await;
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("flushed", algorithm, Quota::per_minute(2)), 1);
        let _: () = cmd("SCRIPT")
            .arg("FLUSH")
            .query_async(&mut connection)
            .await
            .expect("flushed");
        for n in 0..3 {
            let decision = store.check(&bucket, 1).await.expect("a decision");
            assert_eq!(decision.allowed, n < 2, "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn a_check_is_one_round_trip() {
    let server = RedisServer::start();
    let store = server.store().await;
    let mut connection = server.connection().await;
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("counted", algorithm, Quota::per_minute(50)), 1);
        let _: () = cmd("CONFIG")
            .arg("RESETSTAT")
            .query_async(&mut connection)
            .await
            .expect("reset");
        for _ in 0..100 {
            store.check(&bucket, 1).await.expect("a decision");
        }
        let stats: String = cmd("INFO")
            .arg("commandstats")
            .query_async(&mut connection)
            .await
            .expect("statistics");
        // What a script calls is counted too, so only these are what came over the wire.
        let from_client: Vec<&str> = stats
            .lines()
            .filter_map(|line| line.strip_prefix("cmdstat_"))
            .filter(|line| {
                let inside = [
                    "time:",
                    "getrange:",
                    "set:",
                    "append:",
                    "setrange:",
                    "pexpire:",
                ];
                !inside.iter().any(|name| line.starts_with(name))
            })
            .filter_map(|line| line.split(',').next())
            .filter(|line| !line.starts_with("config"))
            .collect();
        assert_eq!(from_client, ["evalsha:calls=100"], "{algorithm:?}: {stats}");
    }
}

/// That nothing is promised beyond the limit of 2, and that an error is of this bucket alone.
fn is_a_new_state_or_an_error(checked: Result<Decision, StoreError>) {
    match checked {
        Ok(decision) => assert!(decision.remaining <= 1, "{decision:?}"),
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("cannot tell of one bucket"), "{said}");
        }
    }
}

#[tokio::test]
async fn state_of_another_kind_is_an_error_or_a_new_state_and_no_panic() {
    let (store, mut connection) = store("garbage:").await;
    for algorithm in ALGORITHMS {
        let bucket = bucket(policy("garbage", algorithm, Quota::per_minute(2)), 1);
        let key = format!("garbage:{bucket}");
        for garbage in [
            "",
            "x",
            "12",
            "-1.5",
            "1.5 2",
            "99999999999999.1",
            "1 99999999999",
        ] {
            let _: () = connection.set(&key, garbage).await.expect("set");
            let decision = store.check(&bucket, 1).await.expect("a new state");
            assert_eq!((decision.allowed, decision.remaining), (true, 1));
        }
        // As long as a state is, but of bytes that say nothing.
        for (length, byte) in [
            (10, 0),
            (10, 0x39),
            (10, 0xff),
            (12, 0),
            (12, 0x39),
            (12, 0xff),
        ] {
            let garbage = vec![byte; length];
            let _: () = connection.set(&key, garbage).await.expect("set");
            is_a_new_state_or_an_error(store.check(&bucket, 1).await);
        }
        let _: () = connection.set(&key, "x".repeat(100)).await.expect("set");
        is_a_new_state_or_an_error(store.check(&bucket, 1).await);
        let _: () = connection.del(&key).await.expect("deleted");
        let _: () = connection.rpush(&key, "a list").await.expect("pushed");
        let error = store
            .check(&bucket, 1)
            .await
            .expect_err("of the wrong type");
        assert!(error.to_string().contains("WRONGTYPE"), "{error}");
    }
}

async fn size(connection: &mut MultiplexedConnection, key: &str) -> u64 {
    cmd("MEMORY")
        .arg(&["USAGE", key, "SAMPLES", "0"])
        .query_async(connection)
        .await
        .expect("a size")
}

/// What a request costs is what its caller says, or its size.
#[tokio::test]
async fn a_request_of_any_cost_takes_the_room_of_one() {
    let mut connection = RedisServer::shared().connection().await;
    let clock = ManualClock::new();
    let store = RedisServer::shared()
        .builder()
        .prefix("costly:")
        .clock(clock.clone())
        .connect()
        .await
        .expect("a redis-server");
    let quota = Quota::per_minute(131_072);
    let bucket = bucket(policy("costly", Algorithm::SlidingWindow, quota), 1);
    let key = format!("costly:{bucket}");

    let all = store.check(&bucket, 131_072).await.expect("a decision");
    assert_eq!((all.allowed, all.remaining), (true, 0));
    let bytes = size(&mut connection, &key).await;
    assert!(bytes < 400, "{bytes} bytes");
    clock.advance(Duration::from_secs(1));
    let rejected = store.check(&bucket, 131_072).await.expect("a decision");
    assert_eq!(rejected.retry_after, Some(Duration::from_secs(59)));
    let refunded = store
        .refund(&bucket, 131_072, &all)
        .await
        .expect("a refund");
    assert_eq!(refunded.remaining, 131_072);
    let exists: bool = connection.exists(&key).await.expect("an answer");
    assert!(!exists, "nothing is left of it");

    // Many of them at one instant, after one that is a stamp.
    for _ in 0..1_000 {
        assert!(store.check(&bucket, 130).await.expect("a decision").allowed);
    }
    let entries: usize = connection.llen(&key).await.expect("a list");
    assert_eq!(entries, 1);
    // And what is charged afterwards.
    let charged = store.charge(&bucket, u32::MAX).await.expect("a charge");
    assert_eq!((charged.allowed, charged.remaining), (false, 0));
    let entries: usize = connection.llen(&key).await.expect("a list");
    assert_eq!(entries, 1);
}

/// Entries on one side of it are written again: of more than that many nothing is given back.
#[tokio::test]
async fn what_is_given_back_of_a_long_log_is_bounded_work() {
    let clock = ManualClock::new();
    let store = RedisServer::shared()
        .builder()
        .prefix("long_ago:")
        .clock(clock.clone())
        .connect()
        .await
        .expect("a redis-server");
    let quota = Quota::per_minute(131_072);
    let bucket = bucket(policy("long_ago", Algorithm::SlidingWindow, quota), 1);
    let mut taken = Vec::new();
    let five = iter::repeat_n(5, 4_097);
    let costs = five.clone().chain([200]).chain(five);
    for (n, cost) in costs.enumerate() {
        clock.advance(Duration::from_micros(1));
        let decision = store.check(&bucket, cost).await.expect("a decision");
        assert!(decision.allowed);
        taken.extend(
            [0, 4_096, 4_097, 4_098, 8_194]
                .contains(&n)
                .then_some(decision),
        );
    }
    let [first, before, middle, after, last] = taken[..] else {
        panic!("{taken:?}");
    };
    let refund = async |cost, taken: &Decision| {
        let refunded = store.refund(&bucket, cost, taken).await;
        refunded.expect("a refund").remaining - last.remaining
    };
    assert_eq!(refund(200, &middle).await, 0, "4,097 on either side");
    assert_eq!(refund(5, &before).await, 5);
    assert_eq!(refund(150, &middle).await, 155, "4,096 before it");
    assert_eq!(refund(5, &after).await, 160);
    assert_eq!(refund(5, &first).await, 165);
    assert_eq!(refund(5, &last).await, 170);
    assert_eq!(refund(200, &middle).await, 220, "what was left of it");
    let used = 131_072 - last.remaining;
    clock.advance(Duration::from_secs(61));
    assert_eq!(refund(0, &middle).await, used);
}

/// As the release before wrote a log: a stamp for each unit, as a string or a list.
#[tokio::test]
async fn logs_of_the_release_before_are_read_as_what_they_are() {
    const NOW: u64 = 1_764_000_000_000_000;
    let mut connection = RedisServer::shared().connection().await;
    let clock = ManualClock::at(Duration::from_micros(NOW));
    let store = RedisServer::shared()
        .builder()
        .prefix("before:")
        .clock(clock.clone())
        .connect()
        .await
        .expect("a redis-server");
    let quota = Quota::new(2_000, Duration::from_secs(10));
    for used in [1, 100, 128, 129, 1_500, 2_000] {
        for cost in [1, 2, 500] {
            let policy = policy("before", Algorithm::SlidingWindow, quota);
            let bucket = bucket(policy, used * 1_000 + cost);
            let key = format!("before:{bucket}");
            clock.set(Duration::from_micros(NOW));
            let mut state = ratelimit::algorithm::State::new(Algorithm::SlidingWindow);
            let mut stamps = Vec::new();
            // Five at a time, one millisecond after the other.
            for n in 0..u64::from(used) {
                let at = NOW - 9_000_000 + n / 5 * 1_000;
                assert!(state.check(&quota, 1, at).allowed);
                #[expect(clippy::cast_precision_loss, reason = "less than 2^53")]
                stamps.push((at as f64).to_le_bytes());
            }
            if used <= 128 {
                let set = connection.set(&key, stamps.concat()).await;
                let () = set.expect("set");
            } else {
                let stamps: Vec<_> = stamps.iter().map(|stamp| &stamp[..]).collect();
                let pushed = connection.rpush(&key, stamps).await;
                let () = pushed.expect("pushed");
            }
            let _: () = connection.pexpire(&key, 100_000_000).await.expect("set");
            for n in 0..200 {
                let now = NOW + n * 12_347;
                clock.set(Duration::from_micros(now));
                let at = format!("{used} used, cost {cost}, {n}");
                let decision = store.check(&bucket, cost).await.expect("a decision");
                assert_eq!(decision, state.check(&quota, cost, now), "{at}");
                if n % 7 == 0 {
                    let refunded = store.refund(&bucket, cost, &decision).await;
                    let expected = if decision.allowed {
                        state.refund(&quota, cost, now, now)
                    } else {
                        state.peek(&quota, 0, now)
                    };
                    assert_eq!(refunded.expect("a refund"), expected, "{at}");
                }
            }
        }
    }
}

/// Lists of entries that no release has written, among them some that are as long as entries are.
#[tokio::test]
async fn a_list_of_anything_is_that_bucket_s_own_matter() {
    let (store, mut connection) = store("lists:").await;
    let mut random = Random::new(5);
    let policy = policy("lists", Algorithm::SlidingWindow, Quota::per_minute(1_000));
    let bucket = bucket(policy, 1);
    let key = format!("lists:{bucket}");
    let now = store.check(&bucket, 1).await.expect("a decision").at_micros;
    let mut decided = 0;
    for round in 0..3_000 {
        let mut entries = Vec::new();
        for _ in 0..=random.below(12) {
            let stamp = match random.below(4) {
                0 => now + random.below(90_000_000),
                1 => random.below(u64::MAX),
                _ => now - random.below(90_000_000),
            };
            #[expect(clippy::cast_precision_loss, reason = "of no matter")]
            let stamp = match random.below(12) {
                0 => f64::from_bits(random.below(u64::MAX) << 1),
                1 => f64::NAN,
                _ => stamp as f64,
            };
            let mut entry = stamp.to_le_bytes().to_vec();
            if random.below(2) == 0 {
                let most = [3, 200, 1 << 24][usize::try_from(random.below(3)).expect("small")];
                for _ in 0..2 {
                    entry.extend(&random.below(most).to_le_bytes()[..3]);
                }
            }
            if random.below(30) == 0 {
                entry.truncate(usize::try_from(random.below(14)).expect("small"));
            }
            entries.push(entry);
        }
        let _: () = connection.del(&key).await.expect("deleted");
        let _: () = connection.rpush(&key, &entries).await.expect("pushed");
        let cost = u32::try_from(random.below(1_002)).expect("small");
        let taken = Decision {
            allowed: true,
            remaining: 0,
            retry_after: None,
            reset_after: Duration::ZERO,
            at_micros: now - random.below(2),
        };
        let done = match round % 3 {
            0 => store.check(&bucket, cost).await,
            1 => store.charge(&bucket, cost).await,
            _ => store.refund(&bucket, cost, &taken).await,
        };
        match done {
            Ok(decision) => {
                decided += 1;
                assert!(decision.remaining <= 1_000, "{entries:?}: {decision:?}");
            }
            Err(error) => {
                let said = error.to_string();
                let is_its_own = said.contains("cannot tell of one bucket");
                assert!(is_its_own, "round {round} {cost} {entries:?}: {said}");
            }
        }
    }
    assert!((500..2_900).contains(&decided), "{decided}");
}

/// More than a bucket ever is, of each kind that a key can be, while other clients are served.
#[tokio::test]
async fn a_huge_value_is_that_bucket_s_own_matter() {
    let huge = vec![b'x'; 64 << 20];
    let server = RedisServer::start();
    let store = server.store().await;
    let mut connection = server.connection().await;
    let limits = [
        (Algorithm::TokenBucket, 2),
        (Algorithm::FixedWindow, 2),
        (Algorithm::SlidingWindow, 2),
        // May be a list.
        (Algorithm::SlidingWindow, 1_000),
    ];
    let of = |(algorithm, limit)| policy("huge", algorithm, Quota::per_minute(limit));
    for kind in [
        "string",
        "list of one",
        "list of many",
        "hash",
        "set",
        "sorted set",
        "stream",
    ] {
        let many;
        let (command, arguments): (&str, &[&[u8]]) = match kind {
            "string" => ("SET", &[&huge]),
            "list of one" => ("RPUSH", &[&huge]),
            "list of many" => {
                many = vec![&b"12345678"[..]; 500_000];
                ("RPUSH", &many)
            }
            "hash" => ("HSET", &[b"field", &huge]),
            "set" => ("SADD", &[&huge]),
            "sorted set" => ("ZADD", &[b"1", &huge]),
            _ => ("XADD", &[b"*", b"field", &huge]),
        };
        let _: redis::Value = cmd(command)
            .arg("huge")
            .arg(arguments)
            .query_async(&mut connection)
            .await
            .expect("made");
        for limit in limits {
            let poisoned = bucket(of(limit), 1);
            let other = bucket(of(limit), 2);
            let key = format!("ratelimit:{poisoned}");
            let _: () = connection.rename("huge", &key).await.expect("renamed");
            let at = format!("{kind} {limit:?}");
            let _: () = cmd("CONFIG")
                .arg("RESETSTAT")
                .query_async(&mut connection)
                .await
                .expect("reset");
            let looked_at = store.check(&poisoned, 0).await;
            let both = tokio::join!(store.check(&poisoned, 1), store.check(&other, 1));
            both.1.expect("a decision about another client");
            for checked in [looked_at, both.0] {
                let error = checked.expect_err("it is no bucket").to_string();
                assert!(error.contains("cannot tell of one bucket"), "{at}: {error}");
            }
            let taken = store.check(&other, 1).await.expect("a decision");
            let _ = store.refund(&poisoned, 1, &taken).await;
            let _ = store.charge(&poisoned, 1).await;
            let health = store.health().expect("a server");
            assert_eq!(health.outages, 0, "{at}");
            // Each command takes microseconds, and one that copies all of it takes tens of thousands.
            let stats: String = cmd("INFO")
                .arg("commandstats")
                .query_async(&mut connection)
                .await
                .expect("statistics");
            for line in stats.lines() {
                let each = line.split_once("usec_per_call=").map(|(_, rest)| rest);
                let each = each.and_then(|rest| rest.split(',').next()?.parse::<f64>().ok());
                assert!(each.is_none_or(|each| each < 5_000.0), "{at}: {line}");
            }
            let _: () = connection.rename(&key, "huge").await.expect("renamed");
        }
        let _: () = connection.del("huge").await.expect("removed");
    }
}

/// A server that answers all checks is not out because of what somebody has written to a key of the probe.
#[tokio::test]
async fn what_is_in_the_keys_of_the_probe_is_no_outage() {
    let server = RedisServer::start();
    let mut connection = server.connection().await;
    for name in ["t", "s", "f", "write"] {
        let key = format!("ratelimit:{{probe}}:{name}");
        let _: () = connection.rpush(&key, "a list").await.expect("pushed");
    }
    let store = server.store().await;
    let bucket = bucket(
        policy("probed", Algorithm::TokenBucket, Quota::per_minute(1)),
        1,
    );
    let decision = store.check(&bucket, 1).await.expect("a decision");
    assert!(decision.allowed);
}

/// What has left the window may still be in the string, and is not counted again when the clock steps back.
#[tokio::test]
async fn a_refund_after_the_clock_has_stepped_back_says_what_is_left() {
    const START: Duration = Duration::from_secs(1_764_000_000);
    let clock = ManualClock::at(START);
    let builder = RedisServer::shared().builder().prefix("stepped:");
    let store = builder.clock(clock.clone()).connect().await;
    let store = store.expect("a redis-server");
    let quota = Quota::new(5, Duration::from_secs(50));
    let bucket = bucket(policy("stepped", Algorithm::SlidingWindow, quota), 1);
    let mut taken = None;
    for seconds in [5, 54, 55] {
        clock.set(START + Duration::from_secs(seconds));
        taken = Some(store.check(&bucket, 1).await.expect("a decision"));
    }
    let newest = taken.expect("a decision");
    assert_eq!((newest.allowed, newest.remaining), (true, 3));
    clock.set(START + Duration::from_micros(54_999_999));
    let other = Decision {
        at_micros: newest.at_micros - 1,
        ..newest
    };
    let nothing = store.refund(&bucket, 1, &other).await.expect("a refund");
    assert_eq!(nothing.remaining, 3);
    let one = store.refund(&bucket, 1, &newest).await.expect("a refund");
    assert_eq!(one.remaining, 4);
}

/// `DEL` frees it at once: 2 seconds for two million fields, in which the server answers no client.
#[tokio::test]
async fn a_reset_has_the_server_free_a_value_in_the_background() {
    let server = RedisServer::start();
    let store = server.store().await;
    let mut connection = server.connection().await;
    let policy = policy("huge", Algorithm::TokenBucket, Quota::per_minute(1));
    let bucket = bucket(policy, 1);
    let key = format!("ratelimit:{bucket}");
    let fields: Vec<(u32, u32)> = (0..10_000).map(|n| (n, n)).collect();
    let _: () = connection.hset_multiple(&key, &fields).await.expect("set");
    let before = (server.calls("unlink").await, server.calls("del").await);
    store.reset(&bucket).await.expect("it is removed");
    let after = (server.calls("unlink").await, server.calls("del").await);
    assert_eq!(after, (before.0 + 1, before.1));
    assert!(store.check(&bucket, 1).await.expect("a decision").allowed);
}
