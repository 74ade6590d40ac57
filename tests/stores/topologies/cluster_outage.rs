//! A Redis Cluster of which a part does not answer.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use ratelimit::{Algorithm, Bucket, Charge, Quota, RateLimiter, RedisStore, Store, StoreHealth};
use ratelimit_tests::{
    ALGORITHMS, Lag, RedisCluster, RedisServer, Trouble, bucket, eventually, patient, policy,
};
use redis::cmd;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    task::JoinHandle,
};

/// A check's timeout, and a little for the machine.
const MOST: Duration = Duration::from_millis(100 + 50);

/// What a check takes at most if nothing is wrong with its server.
const USUAL: Duration = Duration::from_millis(50);

/// How soon after an outage the server is used again.
const RECOVERY: Duration = Duration::from_secs(2);

/// A server that accepts connections, or rather the system does in its place, and never answers.
struct Silent(TcpListener);

impl Silent {
    fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    fn url(&self) -> String {
        let port = self.0.local_addr().expect("it is bound").port();
        format!("redis://127.0.0.1:{port}")
    }
}

/// Buckets of clients, by the server that they are on.
async fn buckets(cluster: &RedisCluster) -> Vec<Vec<Bucket>> {
    let policy = policy("outage", ALGORITHMS[0], Quota::per_hour(1_000_000));
    let mut buckets = vec![Vec::new(); cluster.servers().len()];
    for client in 0..24 {
        let bucket = bucket(policy, client);
        let (_, server) = cluster.place_of(&format!("ratelimit:{bucket}")).await;
        let n = cluster
            .servers()
            .iter()
            .position(|other| other.port() == server.port());
        buckets[n.expect("one of these")].push(bucket);
    }
    assert!(buckets.iter().all(|some| some.len() > 1), "{buckets:?}");
    buckets
}

/// Another bucket of the same client, and so in the same hash slot. Nothing is earned meanwhile.
fn of_client(other: Bucket, name: &str) -> Bucket {
    let policy = policy(name, Algorithm::FixedWindow, Quota::per_hour(1_000));
    let bucket = Bucket::new(policy, policy.default_tier(), other.client());
    bucket.expect("a limited tier")
}

/// One check after another of these buckets, in the background.
struct Load {
    task: JoinHandle<Seen>,
    is_over: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Seen {
    checks: u32,
    failures: Vec<String>,
    slowest: Duration,
}

impl Load {
    fn start(store: &RedisStore, buckets: Vec<Bucket>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (store, end) = (store.clone(), is_over.clone());
        let task = tokio::spawn(async move {
            let mut seen = Seen::default();
            let mut ticks = tokio::time::interval(Duration::from_millis(2));
            for bucket in buckets.iter().cycle() {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                ticks.tick().await;
                seen.check(&store, bucket).await;
            }
            seen
        });
        Self { task, is_over }
    }

    async fn stop(self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.expect("no panic")
    }
}

impl Seen {
    async fn check(&mut self, store: &RedisStore, bucket: &Bucket) {
        let begin = Instant::now();
        let decision = store.check(bucket, 1).await;
        self.slowest = self.slowest.max(begin.elapsed());
        self.checks += 1;
        if let Err(error) = decision {
            self.failures.push(error.to_string());
        }
    }
}

async fn connected(cluster: &RedisCluster) -> RedisStore {
    let urls = cluster.servers().iter().map(RedisServer::url);
    let store = RedisStore::cluster(urls).connect().await;
    store.expect("a cluster")
}

/// Checks, several at once, until Redis decides all of them.
async fn recovery(store: &RedisStore, buckets: &[Bucket]) -> Duration {
    let begin = Instant::now();
    loop {
        let decisions = join_all(buckets.iter().map(|bucket| store.check(bucket, 1))).await;
        if decisions.iter().all(Result::is_ok) {
            return begin.elapsed();
        }
        assert!(begin.elapsed() < 10 * RECOVERY, "{decisions:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What clients see of a server that is out, from the first check on: none takes longer than the
/// timeout, and after a few none waits.
async fn is_out(store: &RedisStore, buckets: &[Bucket]) {
    let lag = Lag::measure();
    for round in 0..10 {
        let mut seen = Seen::default();
        for bucket in buckets.iter().cycle().take(5) {
            seen.check(store, bucket).await;
        }
        assert_eq!(seen.failures.len(), 5, "{seen:?}");
        let most = if round == 0 { MOST } else { USUAL };
        assert!(seen.slowest < most + lag.worst(), "{round}: {seen:?}");
    }
}

fn is_unaffected(seen: &Seen, lag: &Lag) {
    assert!(seen.checks > 100, "{seen:?}");
    // A busy machine may be late with an answer. An outage fails far more checks than that, since it
    // is noticed after several in a row.
    let late = usize::try_from(seen.checks / 400).expect("few");
    assert!(seen.failures.len() <= late, "of {}: {seen:?}", seen.checks);
    if seen.failures.is_empty() {
        assert!(seen.slowest < USUAL + lag.worst(), "{seen:?}");
    }
}

#[tokio::test]
async fn a_silent_seed_does_not_delay_the_others() {
    let cluster = RedisCluster::start().await;
    let silent = Silent::start();
    let urls = [silent.url(), cluster.servers()[0].url()];
    let begin = Instant::now();
    let connected = RedisStore::cluster(urls).connect().await;
    let store = connected.expect("one seed answers");
    assert!(begin.elapsed() < Duration::from_secs(1), "{begin:?}");
    for bucket in buckets(&cluster).await.concat() {
        store.check(&bucket, 1).await.expect("a check");
    }
}

#[tokio::test]
async fn a_seed_of_another_kind_does_not_hide_the_cluster() {
    let cluster = RedisCluster::start().await;
    let mut empty = RedisServer::start_with(&[], &["--cluster-enabled", "yes"]);
    let plain = RedisServer::shared().url();
    for first in [plain, "redis://127.0.0.1:1".to_owned(), empty.url()] {
        let urls = [first, cluster.servers()[0].url()];
        let connected = RedisStore::cluster(urls).connect().await;
        let store = connected.expect("one seed is a member");
        for bucket in buckets(&cluster).await.concat() {
            store.check(&bucket, 1).await.expect("a check");
        }
    }
    empty.stop();
    let begin = Instant::now();
    let none = RedisStore::cluster([empty.url()]).connect().await;
    let error = none.expect_err("no seed answers").to_string();
    assert!(error.contains("no answer within 2s"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(3), "{begin:?}");
}

/// A server that was cut off from the others of its cluster, and still takes itself for the master of
/// all slots.
async fn cut_off() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let map = format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n");
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let map = map.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(connection).lines();
                // Arguments come on lines of their own, and a command has at least one.
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer = match &*line {
                        "SLOTS" => &map,
                        "SET" | "EVAL" | "EVALSHA" => "-CLUSTERDOWN The cluster is down\r\n",
                        _ => continue,
                    };
                    let connection = lines.get_mut().get_mut();
                    if connection.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("redis://127.0.0.1:{port}")
}

#[tokio::test]
async fn a_seed_that_was_cut_off_from_the_cluster_is_not_believed() {
    let mut cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await.concat();
    let urls = [cut_off().await, cluster.servers()[0].url()];
    let store = RedisStore::cluster(&urls).connect().await;
    let store = store.expect("one seed is a member");
    for bucket in &buckets {
        store.check(bucket, 1).await.expect("a check");
    }
    // It is the only one that answers in the beginning.
    cluster.stop(0).await;
    let store = RedisStore::cluster(&urls).connect_lazily();
    let store = store.expect("nothing is wrong with it");
    is_out(&store, &buckets).await;
    cluster.cont(0);
    let recovery = recovery(&store, &buckets).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
}

#[tokio::test]
async fn a_silent_member_does_not_delay_the_others() {
    let mut cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await;
    cluster.stop(2).await;
    let begin = Instant::now();
    let builder = RedisStore::cluster([cluster.servers()[0].url()]);
    let store = builder.connect().await.expect("most of the cluster");
    assert!(begin.elapsed() < Duration::from_secs(1), "{begin:?}");
    let lag = Lag::measure();
    let mut seen = Seen::default();
    for bucket in buckets[..2].concat().iter().cycle().take(200) {
        seen.check(&store, bucket).await;
    }
    is_unaffected(&seen, &lag);
    is_out(&store, &buckets[2]).await;
    cluster.cont(2);
    let recovery = recovery(&store, &buckets[2]).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
}

#[tokio::test]
async fn a_cluster_that_is_late_is_found() {
    let mut cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await;
    let silent = Silent::start();
    for n in 0..3 {
        cluster.stop(n).await;
    }
    let urls = [silent.url(), cluster.servers()[1].url()];
    let store = RedisStore::cluster(urls).connect_lazily();
    let store = store.expect("nothing is wrong with it");
    is_out(&store, &buckets.concat()).await;
    for n in 0..3 {
        cluster.cont(n);
    }
    let recovery = recovery(&store, &buckets.concat()).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_server_is_an_outage_for_its_own_clients_only() {
    let mut cluster = RedisCluster::start_with_partial_coverage().await;
    let buckets = buckets(&cluster).await;
    let store = connected(&cluster).await;
    for n in 0..3 {
        let lag = Lag::measure();
        let others = [&buckets[(n + 1) % 3][..], &buckets[(n + 2) % 3]].concat();
        let load = Load::start(&store, others);
        cluster.stop(n).await;
        is_out(&store, &buckets[n]).await;
        // Several probes do not get an answer.
        tokio::time::sleep(Duration::from_secs(2)).await;
        is_out(&store, &buckets[n]).await;
        cluster.cont(n);
        let recovery = recovery(&store, &buckets[n]).await;
        assert!(recovery <= RECOVERY, "{recovery:?}");
        is_unaffected(&load.stop().await, &lag);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_loses_all_is_an_outage_for_its_own_clients_only() {
    let cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await;
    let proxies = cluster.announce_proxies().await;
    let store = RedisStore::cluster([proxies[1].url()]).connect().await;
    let store = store.expect("a cluster");
    let lag = Lag::measure();
    let load = Load::start(&store, buckets[1..].concat());
    proxies[0].make(Trouble::BlackHole);
    is_out(&store, &buckets[0]).await;
    // Connections are opened then, and lost for ever as well.
    tokio::time::sleep(Duration::from_secs(1)).await;
    proxies[0].make(Trouble::None);
    let recovery = recovery(&store, &buckets[0]).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
    is_unaffected(&load.stop().await, &lag);
}

#[tokio::test]
async fn a_cluster_far_away_is_used_as_one_that_is_near() {
    let cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await;
    let proxies = cluster.announce_proxies().await;
    let distance = Duration::from_millis(60);
    for proxy in &proxies {
        proxy.make(Trouble::Distance(distance));
    }
    // A busy machine is late by more than what the usual 100 ms leave.
    let builder = RedisStore::cluster([proxies[1].url()]).timeout(Duration::from_millis(300));
    let store = builder.connect().await.expect("a cluster");
    for bucket in buckets.concat() {
        store.check(&bucket, 1).await.expect("a check");
    }
    proxies[0].make(Trouble::Refuse);
    let is_out = async || store.check(&buckets[0][0], 1).await.is_err();
    eventually("an outage", is_out).await;
    proxies[0].make(Trouble::Distance(distance));
    let recovery = recovery(&store, &buckets.concat()).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_an_outage_for_its_own_clients_only() {
    let mut cluster = RedisCluster::start_with_partial_coverage().await;
    let buckets = buckets(&cluster).await;
    let store = connected(&cluster).await;
    let lag = Lag::measure();
    let load = Load::start(&store, buckets[1..].concat());
    let killed = cluster.kill(0).await;
    is_out(&store, &buckets[0]).await;
    cluster.start_again(&killed);
    cluster.is_ok(0).await;
    let recovery = recovery(&store, &buckets[0]).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
    is_unaffected(&load.stop().await, &lag);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over_soon_and_other_clients_do_not_notice() {
    let mut cluster = RedisCluster::start_with_partial_coverage().await;
    let buckets = buckets(&cluster).await;
    let urls = cluster.servers().iter().map(RedisServer::url);
    // Servers stand still while the disk takes what they note of a takeover.
    let builder = RedisStore::cluster(urls).timeout(Duration::from_secs(1));
    let store = builder.connect().await.expect("a cluster");
    let load = Load::start(&store, buckets[1..].concat());
    cluster.lose_the_first_to_a_replica().await;
    is_out(&store, &buckets[0]).await;
    cluster.is_master(0).await;
    let recovery = recovery(&store, &buckets[0]).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
    let seen = load.stop().await;
    assert!(seen.checks > 100, "{seen:?}");
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.checks);
}

async fn health(limiter: &RateLimiter, is: impl Fn(&StoreHealth) -> bool) -> StoreHealth {
    let begin = Instant::now();
    loop {
        let health = limiter
            .store_health()
            .expect("Redis has an outage at times");
        if is(&health) {
            return health;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{health:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_health_of_a_cluster_is_that_of_all_its_servers() {
    let mut cluster = RedisCluster::start_with_partial_coverage().await;
    let buckets = buckets(&cluster).await;
    let store = connected(&cluster).await;
    let limiter = RateLimiter::builder().store(store.clone());
    let limiter = limiter.build().expect("nothing is wrong with it");
    assert!(health(&limiter, |_| true).await.is_up);
    for n in [0, 2] {
        cluster.stop(n).await;
        is_out(&store, &buckets[n]).await;
        let down = health(&limiter, |health| !health.is_up).await;
        let last = down.changes.last().expect("a change");
        let reason = last.reason.as_ref().expect("it went down");
        let server = format!("127.0.0.1:{}", cluster.servers()[n].port());
        assert!(reason.contains(&server), "{reason}");
    }
    assert_eq!(health(&limiter, |_| true).await.outages, 2);
    cluster.cont(0);
    recovery(&store, &buckets[0]).await;
    assert!(!health(&limiter, |_| true).await.is_up, "one is still out");
    cluster.cont(2);
    recovery(&store, &buckets[2]).await;
    let up = health(&limiter, |health| health.is_up).await;
    assert_eq!((up.outages, up.changes.len()), (2, 4), "{up:?}");
}

/// How many requests were charged to a bucket, as its server says.
async fn charged(cluster: &RedisCluster, bucket: &Bucket) -> u32 {
    let store = connected(cluster).await;
    let look = store.check(bucket, 0).await.expect("a look");
    bucket.quota().limit() - look.remaining
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_charged_once() {
    let cluster = RedisCluster::start().await;
    let proxies = cluster.announce_proxies().await;
    for algorithm in ALGORITHMS {
        let quota = Quota::new(1_000, Duration::from_secs(300 * 86_400));
        let bucket = bucket(policy("lost", algorithm, quota), 1);
        let (_, server) = cluster.place_of(&format!("ratelimit:{bucket}")).await;
        let mut servers = cluster.servers().iter().zip(&proxies);
        let proxy = servers.find(|(other, _)| other.port() == server.port());
        let (_, proxy) = proxy.expect("one of these");
        let store = RedisStore::cluster([proxy.url()]).connect().await;
        let store = store.expect("a cluster");
        for n in 1..=6 {
            proxy.make(Trouble::LoseAnswer);
            let check = store.check(&bucket, 1).await;
            assert_eq!(proxy.trouble(), Trouble::None, "an answer was lost");
            assert_eq!(charged(&cluster, &bucket).await, n, "{algorithm:?}");
            check.expect_err("there was no answer");
            // By a connection that is not lost.
            eventually("an answer", async || store.check(&bucket, 0).await.is_ok()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_moves_to_a_new_server_and_no_check_fails() {
    let mut cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await;
    let store = connected(&cluster).await;
    let load = Load::start(&store, buckets.concat());
    cluster.add_server().await;
    for bucket in buckets.concat() {
        let (slot, from) = cluster.place_of(&format!("ratelimit:{bucket}")).await;
        cluster.move_slot(slot, from, &cluster.servers()[3]).await;
        store.check(&bucket, 1).await.expect("a check");
    }
    let seen = load.stop().await;
    assert_eq!(seen.failures, Vec::<String>::new(), "of {}", seen.checks);
    // The servers are asked where slots are when one has moved, and not for each check.
    let mut asked = 0;
    for server in cluster.servers() {
        asked += server.calls("cluster|slots").await;
    }
    assert!(asked < 200, "{asked} of {} checks", seen.checks);
    let mut moved = cluster.servers()[3].connection().await;
    let keys: u64 = cmd("DBSIZE")
        .query_async(&mut moved)
        .await
        .expect("a number");
    assert!(keys >= 24, "{keys}");
}

#[tokio::test]
async fn a_slot_that_no_server_has_is_an_outage_of_its_own() {
    let cluster = RedisCluster::start_with_partial_coverage().await;
    let buckets = buckets(&cluster).await;
    let bucket = buckets[0][0];
    let (slot, _) = cluster.place_of(&format!("ratelimit:{bucket}")).await;
    cluster.drop_slot(slot).await;
    let store = connected(&cluster).await;
    is_out(&store, &[bucket]).await;
    let is_other = |other: &&Bucket| **other != bucket;
    for other in buckets.concat().iter().filter(is_other) {
        store.check(other, 1).await.expect("a check");
    }
    cluster.take_slot(slot, &cluster.servers()[1]).await;
    let recovery = recovery(&store, &[bucket]).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
}

#[tokio::test]
async fn a_cluster_that_is_down_as_a_whole_is_used_again_when_it_is_up() {
    let mut cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await.concat();
    let store = connected(&cluster).await;
    for bucket in &buckets {
        store.check(bucket, 1).await.expect("a check");
    }
    cluster.set_node_timeout(Duration::from_secs(1)).await;
    let killed = cluster.kill(0).await;
    for n in [1, 2] {
        cluster.is_fail(n).await;
    }
    is_out(&store, &buckets).await;
    cluster.start_again(&killed);
    for n in 0..3 {
        cluster.is_ok(n).await;
    }
    let recovery = recovery(&store, &buckets).await;
    assert!(recovery <= RECOVERY, "{recovery:?}");
}

/// How many clients a server has, aside from this one.
async fn clients(server: &RedisServer) -> usize {
    let mut list = cmd("CLIENT");
    list.arg("LIST").arg("TYPE").arg("normal");
    let mut connection = server.connection().await;
    let list: String = list.query_async(&mut connection).await.expect("a list");
    list.lines().count() - 1
}

#[tokio::test]
async fn a_server_that_gets_no_slot_is_left_alone_and_so_are_all_with_the_store() {
    let mut cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await;
    let store = connected(&cluster).await;
    cluster.add_server().await;
    let bucket = of_client(buckets[0][0], "not there yet");
    let (slot, from) = cluster.place_of(&format!("ratelimit:{bucket}")).await;
    let new = &cluster.servers()[3];
    cluster.begin_move(slot, from, new).await;
    for n in 1..=20 {
        let check = store.check(&bucket, 1).await.expect("a check");
        assert_eq!(check.remaining, bucket.quota().limit() - n);
    }
    assert!(clients(new).await > 0);
    cluster.end_move(slot, from, new).await;
    eventually("a server that is left alone", async || {
        clients(new).await == 0
    })
    .await;
    store.check(&bucket, 1).await.expect("a check");
    drop(store);
    for server in cluster.servers() {
        eventually("no connection", async || clients(server).await == 0).await;
    }
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    eventually("the end of all tasks", async || tasks() == 0).await;
}

#[tokio::test]
async fn a_check_whose_buckets_are_being_moved_waits_and_is_no_outage() {
    let cluster = RedisCluster::start().await;
    let buckets = buckets(&cluster).await;
    let names = ["there", "not there yet"];
    let charges = names.map(|name| Charge {
        bucket: of_client(buckets[0][0], name),
        cost: 1,
        enforced: true,
    });
    let (slot, from) = cluster
        .place_of(&format!("ratelimit:{}", buckets[0][0]))
        .await;
    let to = &cluster.servers()[1];
    let store = connected(&cluster).await;
    let first = store.check(&charges[0].bucket, 1).await;
    first.expect("a check");
    cluster.begin_move(slot, from, to).await;

    let lag = Lag::measure();
    for _ in 0..5 {
        let begin = Instant::now();
        let check = store.check_all(&charges).await;
        assert!(begin.elapsed() < MOST + lag.worst(), "{begin:?}");
        let error = check.expect_err("one is on either server").to_string();
        assert!(error.contains("the keys are being moved"), "{error}");
        let other = store.check(&buckets[0][1], 1).await;
        other.expect("the server answers");
    }

    let urls = cluster.servers().iter().map(RedisServer::url);
    let patient = patient(RedisStore::cluster(urls)).connect().await;
    let patient = patient.expect("a cluster");
    let waits = tokio::spawn(async move { patient.check_all(&charges).await });
    let errors = || errors(from);
    let before = errors().await;
    eventually("a check that waits", async || errors().await != before).await;
    cluster.move_slot(slot, from, to).await;
    let decisions = waits.await.expect("no panic").expect("a check");
    let left: Vec<u32> = decisions.iter().map(|one| one.remaining).collect();
    assert_eq!(left, [998, 999]);
}

/// What errors a server has answered, and how many.
async fn errors(server: &RedisServer) -> String {
    let mut info = cmd("INFO");
    info.arg("errorstats");
    let mut connection = server.connection().await;
    info.query_async(&mut connection).await.expect("errors")
}

#[tokio::test]
async fn each_key_is_looked_for_where_it_is() {
    let cluster = RedisCluster::start().await;
    let store = connected(&cluster).await;
    let policy = policy("looked for", ALGORITHMS[0], Quota::per_hour(5));
    for client in 0..500 {
        let check = store.check(&bucket(policy, client), 1).await;
        check.expect("a check");
    }
    for server in cluster.servers() {
        let errors = errors(server).await;
        assert!(!errors.contains("MOVED"), "{errors}");
    }
}
