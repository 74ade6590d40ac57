//! Some of a store's connections do not work while the others do.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ratelimit::{Algorithm, Bucket, Charge, Quota, RedisStore, Store};
use ratelimit_tests::{Proxy, RedisServer, Trouble, bucket, eventually, patient, policy};
use redis::{AsyncCommands, cmd};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

fn buckets(clients: u32) -> Vec<Bucket> {
    let policy = policy(
        "connections",
        Algorithm::TokenBucket,
        Quota::per_hour(1_000),
    );
    (0..clients).map(|n| bucket(policy, n)).collect()
}

/// A balancer that sends the n-th connection, counted from 0, to this server and all others to that
/// one. Returns its port and how many connections there were.
async fn balancer(nth: usize, to: u16, others: u16) -> (u16, Arc<AtomicUsize>, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let is_nth = counter.fetch_add(1, Ordering::Relaxed) == nth;
            let server = if is_nth { to } else { others };
            connections.spawn(async move {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await;
                let mut server = server.expect("it accepts connections");
                // It ends when one side closes the connection.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (port, count, task)
}

#[tokio::test]
async fn a_server_that_takes_no_more_connections_is_used_through_those_that_there_are() {
    let server = RedisServer::start();
    let mut admin = server.connection().await;
    // This one and one of the store's four.
    let _: () = cmd("CONFIG")
        .arg(&["SET", "maxclients", "2"])
        .query_async(&mut admin)
        .await
        .expect("set");
    let store = server.store().await;
    for bucket in buckets(100) {
        store.check(&bucket, 1).await.expect("a decision");
    }
    let stats: String = cmd("INFO")
        .arg("stats")
        .query_async(&mut admin)
        .await
        .expect("statistics");
    let refused = stats
        .lines()
        .find_map(|line| line.strip_prefix("rejected_connections:"))
        .and_then(|count| count.parse::<u32>().ok())
        .expect("a count");
    assert!(refused < 30, "{refused} attempts in a moment");
    let _: () = cmd("CONFIG")
        .arg(&["SET", "maxclients", "100"])
        .query_async(&mut admin)
        .await
        .expect("set");
    eventually("a pool that is whole", || {
        let mut admin = admin.clone();
        async move {
            let clients: String = cmd("INFO")
                .arg("clients")
                .query_async(&mut admin)
                .await
                .expect("counts");
            clients.contains("connected_clients:5\r")
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_leads_to_a_replica_is_replaced() {
    let master = RedisServer::start();
    let of = master.port().to_string();
    let replica = RedisServer::start_with(&[], &["--replicaof", "127.0.0.1", &of]);
    for nth in 1..4 {
        let (port, count, _balancer) = balancer(nth, replica.port(), master.port()).await;
        let url = format!("redis://127.0.0.1:{port}");
        let store = patient(RedisStore::builder(url)).connect().await;
        let store = store.expect("the first connection leads to the master");
        let all_are_open = async || count.load(Ordering::Relaxed) >= 4;
        eventually("four connections", all_are_open).await;
        eventually("writes on each connection", async || {
            let mut answers = 0;
            for bucket in buckets(20) {
                answers += u32::from(store.check(&bucket, 1).await.is_ok());
            }
            answers == 20
        })
        .await;
        assert!(count.load(Ordering::Relaxed) < 10, "{count:?}");
    }
}

/// The store is made before there is a runtime, and no handler has a single limit.
#[test]
fn a_check_of_several_buckets_can_be_the_first() {
    let server = RedisServer::start();
    let store = server.builder().connect_lazily().expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let charges: Vec<_> = buckets(2)
            .into_iter()
            .map(|bucket| Charge {
                bucket,
                cost: 1,
                enforced: true,
            })
            .collect();
        let decisions = store.check_all(&charges).await;
        assert!(decisions.is_ok(), "{decisions:?}");
    });
}

/// A server that evicts the keys that expire first evicts those of a probe first.
#[tokio::test]
async fn a_server_that_evicts_keys_does_not_pass_for_several() {
    let server = RedisServer::start();
    let mut admin = server.connection().await;
    let mut fill = redis::pipe();
    for n in 0..2_000 {
        fill.set_ex(format!("other:{n}"), "x".repeat(1_000), 3_600)
            .ignore();
    }
    let _: () = fill.query_async(&mut admin).await.expect("filled");
    let used: String = cmd("INFO")
        .arg("memory")
        .query_async(&mut admin)
        .await
        .expect("figures");
    let used: u64 = used
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"))
        .and_then(|bytes| bytes.parse().ok())
        .expect("a number");
    for (name, value) in [
        ("maxmemory-policy", "volatile-ttl"),
        ("maxmemory-samples", "64"),
        ("maxmemory", &used.to_string()),
    ] {
        let _: () = cmd("CONFIG")
            .arg(&["SET", name, value])
            .query_async(&mut admin)
            .await
            .expect("set");
    }
    let store = server.store().await;
    let charges: Vec<_> = buckets(2)
        .into_iter()
        .map(|bucket| Charge {
            bucket,
            cost: 1,
            enforced: true,
        })
        .collect();
    let decisions = store.check_all(&charges).await;
    assert!(decisions.is_ok(), "{decisions:?}");
    let _: Option<String> = admin.get("other:0").await.expect("it still answers");
}

/// A network that has forgotten one connection, and a process that leases what it can.
#[tokio::test]
async fn a_silent_connection_is_replaced_also_if_only_slices_are_asked_for() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let builder = RedisStore::builder(proxy.url()).leases();
    let store = builder.connect().await.expect("a proxy");
    let policy = policy("silent", Algorithm::TokenBucket, Quota::per_hour(1_000_000));
    proxy.make(Trouble::BlackHoleOfOne);
    let begin = Instant::now();
    let mut clients = 0..;
    let mut is_whole = async || {
        let mut failures = 0;
        for client in clients.by_ref().take(20) {
            // Several, so that slices are asked for.
            for _ in 0..8 {
                failures += u32::from(store.check(&bucket(policy, client), 1).await.is_err());
            }
        }
        failures == 0
    };
    while !is_whole().await {}
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Its probes are answered, but no check is.
#[tokio::test]
async fn a_server_that_answers_too_late_is_one_outage() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let store = RedisStore::builder(proxy.url()).connect().await;
    let store = store.expect("a proxy");
    proxy.make(Trouble::Distance(Duration::from_millis(150)));
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        for bucket in buckets(10) {
            store
                .check(&bucket, 1)
                .await
                .expect_err("no answer in time");
        }
        sleep(Duration::from_millis(5)).await;
    }
    let health = store.health().expect("a store that can be out");
    assert_eq!(health.outages, 1, "{health:?}");
    proxy.make(Trouble::None);
    let begin = Instant::now();
    let answers = async || store.check(&buckets(1)[0], 1).await.is_ok();
    eventually("the end of the outage", answers).await;
    assert!(begin.elapsed() < Duration::from_secs(2));
}
