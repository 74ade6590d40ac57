//! Where a fault takes place: a server, perhaps a proxy before it, and a limiter that uses it.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process, str,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use ratelimit::{Clock, MonotonicClock, RateLimiter, RedisStore, RedisStoreBuilder};
use ratelimit_tests::{Proxy, RedisCluster, RedisServer, Sentinel, Trouble, Twemproxy};
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

/// What a round trip to a distant server takes.
const DISTANCE: Duration = Duration::from_millis(60);

/// How an application reaches its server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    /// As a user with a password.
    Login,
    Proxy,
    /// The same, with one check after another and never two at once.
    ProxyInTurn,
    /// There is no server when the application starts.
    NotYet,
    /// The server is a master, which a sentinel watches.
    Sentinel,
    /// The same, with two sentinels, the first of which will be silent.
    SilentSentinel,
    /// The same, with two sentinels, the first of which never finds out about another master.
    StaleSentinel,
    /// The server is far away, and there are many connections to it.
    Distant,
    /// Two servers behind a proxy that looks like one.
    Twemproxy,
    /// The connections were opened in a runtime of their own.
    OtherRuntime,
    /// The server is one of three of a cluster, whose first seed is silent.
    Cluster,
}

impl Way {
    /// How many checks there are at once.
    pub(crate) fn concurrent(self) -> u32 {
        match self {
            Self::ProxyInTurn => 1,
            // Each takes long.
            Self::Distant => 64,
            _ => 8,
        }
    }

    /// How long a check waits for Redis.
    pub(crate) fn timeout(self) -> Duration {
        // A machine on which much else goes on is late by more than the rest of the usual 100 ms.
        Duration::from_millis(if self == Self::Distant { 250 } else { 100 })
    }

    /// How many connections a store opens.
    pub(crate) fn connections(self) -> usize {
        if self == Self::Distant { 16 } else { 4 }
    }

    fn has_sentinels(self) -> bool {
        matches!(
            self,
            Self::Sentinel | Self::SilentSentinel | Self::StaleSentinel
        )
    }
}

pub(crate) struct Scene {
    /// `None` while it is dead.
    server: Option<RedisServer>,
    /// What takes its place then, if anything does.
    standby: Option<RedisServer>,
    /// What it took the place of, if that still runs.
    former: Option<RedisServer>,
    sentinel: Option<Sentinel>,
    /// The sentinel that is asked first, if there are two.
    first_sentinel: Option<Sentinel>,
    twemproxy: Option<Twemproxy>,
    runtime: Option<Runtime>,
    // Held for their ends.
    _cluster: Option<(RedisCluster, TcpListener)>,
    port: u16,
    directory: Directory,
    arguments: Vec<String>,
    pub(crate) proxy: Proxy,
    pub(crate) limiter: RateLimiter,
    pub(crate) clock: Stepped,
}

impl Scene {
    pub(crate) async fn set(way: Way, steps: bool) -> Self {
        let directory = Directory::new();
        let arguments = arguments(&directory);
        let mut cluster = None;
        let (sentinel, server, standby) = if way.has_sentinels() {
            let (sentinel, master, replica) = Sentinel::start().await;
            (Some(sentinel), master, Some(replica))
        } else if way == Way::Cluster {
            let mut servers = RedisCluster::start_with_partial_coverage().await;
            let server = servers.take(0);
            let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
            cluster = Some((servers, silent));
            (None, server, None)
        } else {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let standby = (way == Way::Twemproxy).then(RedisServer::start);
            (None, RedisServer::start_with(&[], &arguments), standby)
        };
        let first_sentinel = match way {
            Way::SilentSentinel => Some(Sentinel::another(&server)),
            Way::StaleSentinel => Some(Sentinel::out_of_date(&server).await),
            _ => None,
        };
        let twemproxy = standby
            .as_ref()
            .filter(|_| way == Way::Twemproxy)
            .map(|second| Twemproxy::start([&server, second], Some("{}")));
        let has_tiers = match &cluster {
            // Another server has that key.
            Some((others, _)) => vec![others.place_of("api_key:k-pro").await.1],
            None if twemproxy.is_some() => standby.iter().chain([&server]).collect(),
            None => vec![&server],
        };
        for server in has_tiers {
            run(
                &mut server.connection().await,
                "HSET api_key:k-pro tier pro",
            )
            .await;
        }
        let mut connection = server.connection().await;
        run(&mut connection, "ACL SETUSER limiter on >secret ~* +@all").await;
        let port = server.port();
        let proxy = Proxy::start(port).await;
        let mut builder = match (way, &sentinel) {
            (Way::Proxy | Way::ProxyInTurn, _) => RedisStore::builder(proxy.url()),
            (Way::Login, _) => {
                RedisStore::builder(format!("redis://limiter:secret@127.0.0.1:{port}"))
            }
            (_, Some(sentinel)) => {
                let master = format!("redis://:{}@mymaster", Sentinel::PASSWORD);
                let sentinels = first_sentinel.iter().chain([sentinel]);
                RedisStore::sentinel(sentinels.map(Sentinel::url), master)
            }
            (Way::Distant, _) => {
                proxy.make(Trouble::Distance(DISTANCE));
                RedisStore::builder(proxy.url())
            }
            _ => match (&twemproxy, &cluster) {
                (Some(twemproxy), _) => RedisStore::builder(twemproxy.url()),
                (None, Some((others, silent))) => RedisStore::cluster(seeds(others, silent)),
                (None, None) => RedisStore::builder(server.url()),
            },
        };
        builder = builder
            .connections(way.connections())
            .timeout(way.timeout());
        let clock = Stepped::default();
        if steps {
            builder = builder.clock(clock.clone());
        }
        let (server, runtime, store) = connect(way, builder, server).await;
        let limiter = RateLimiter::builder()
            .store(store)
            .build()
            .expect("nothing is wrong with it");
        Self {
            server,
            standby,
            former: None,
            sentinel,
            first_sentinel,
            twemproxy,
            runtime,
            _cluster: cluster,
            port,
            directory,
            arguments,
            proxy,
            limiter,
            clock,
        }
    }

    pub(crate) fn server(&mut self) -> &mut RedisServer {
        self.server.as_mut().expect("it is alive")
    }

    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let server = self.server.as_ref().expect("it is alive");
        server.connection().await
    }

    /// Waits until the replica has become the master.
    pub(crate) async fn failed_over(&mut self) {
        let standby = self.standby.take().expect("there is a replica");
        let is_master = until(Duration::from_secs(20), async || {
            // The sentinel closes all connections of a server that it makes the master, also one
            // that is just being made.
            let role = async || -> redis::RedisResult<String> {
                let mut connection = standby.try_connection().await?;
                let role: (String, redis::Value, redis::Value) =
                    redis::cmd("ROLE").query_async(&mut connection).await?;
                Ok(role.0)
            };
            role().await.is_ok_and(|role| role == "master")
        });
        assert!(is_master.await, "the sentinel has made nobody the master");
        self.former = self.server.replace(standby);
    }

    /// Has the first sentinel stand still.
    pub(crate) fn silence_first_sentinel(&mut self) {
        self.first_sentinel.as_mut().expect("there are two").stop();
    }

    /// Has the sentinel make the replica the master, and demotes the old one, which goes on.
    pub(crate) async fn switch_masters(&mut self) {
        let sentinel = self.sentinel.as_ref().expect("there is a sentinel");
        sentinel.fail_over().await;
        self.failed_over().await;
        // The sentinel would do so ten seconds later.
        let demote = format!("REPLICAOF 127.0.0.1 {}", self.server().port());
        let former = self.former.as_ref().expect("it is alive");
        run(&mut former.connection().await, &demote).await;
    }

    /// Waits until the sentinel names the server as the master.
    pub(crate) async fn named(&mut self) {
        let port = self.server().port();
        let sentinel = self.sentinel.as_ref().expect("there is a sentinel");
        let named = until(Duration::from_secs(20), async || {
            sentinel.master().await == port
        });
        assert!(named.await, "the sentinel names another server");
    }

    /// Kills the proxy before several servers, and starts it again after this time.
    pub(crate) async fn restart_twemproxy(&mut self, after: Duration) {
        let proxy = self.twemproxy.as_mut().expect("there is one");
        proxy.restart(after).await;
    }

    /// Ends the runtime that the connections were opened in.
    pub(crate) fn end_runtime(&mut self) {
        let runtime = self.runtime.take().expect("there is one");
        runtime.shutdown_background();
    }

    /// Sends the server a command.
    pub(crate) async fn tell(&self, command: &str) {
        run(&mut self.connection().await, command).await;
    }

    /// Kills the server, as the system does that has no memory left.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// Starts it again, with what it had on disk.
    pub(crate) fn start_again(&mut self) {
        assert!(self.directory.0.is_dir(), "it has a past");
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let server = RedisServer::start_on_with(self.port, &arguments);
        self.server = Some(server.expect("the port is still free"));
    }

    /// How many clients the server has.
    pub(crate) async fn clients(&self) -> usize {
        let list: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query_async(&mut self.connection().await)
            .await
            .expect("a list");
        list.lines().count()
    }
}

/// The server, if there is one yet, the runtime of the connections, if it is another, and a store.
async fn connect(
    way: Way,
    builder: RedisStoreBuilder,
    server: RedisServer,
) -> (Option<RedisServer>, Option<Runtime>, RedisStore) {
    let server = (way != Way::NotYet).then_some(server);
    let mut runtime = None;
    let store = match way {
        Way::NotYet => builder.connect_lazily(),
        Way::OtherRuntime => {
            let other = Runtime::new().expect("a runtime");
            let connected = other.spawn(builder.connect()).await;
            runtime = Some(other);
            connected.expect("no panic")
        }
        _ => builder.connect().await,
    };
    (server, runtime, store.expect("nothing is wrong with it"))
}

/// A silent seed, and others.
fn seeds(others: &RedisCluster, silent: &TcpListener) -> Vec<String> {
    let silent = silent.local_addr().expect("it is bound");
    let others = others.servers().iter().map(RedisServer::url);
    [format!("redis://{silent}")]
        .into_iter()
        .chain(others)
        .collect()
}

/// Sends a command whose words have no spaces.
pub(crate) async fn run(connection: &mut MultiplexedConnection, command: &str) {
    let mut words = command.split(' ');
    let mut sent = redis::cmd(words.next().expect("a command"));
    for word in words {
        // An empty password has to be written somehow.
        sent.arg(if word == "''" { "" } else { word });
    }
    let answer: redis::RedisResult<redis::Value> = sent.query_async(connection).await;
    answer.unwrap_or_else(|error| panic!("{command}: {error}"));
}

/// A server that keeps what it has on disk.
fn arguments(directory: &Directory) -> Vec<String> {
    let mut arguments = vec!["--dir".to_owned(), directory.0.display().to_string()];
    // What was answered has been written, and outlives the process. One that has the disk keep it each
    // second does not wait for that while the disk is slow.
    arguments.extend(["--appendonly", "yes", "--appendfsync", "no"].map(str::to_owned));
    if debug_has_to_be_enabled() {
        arguments.extend(["--enable-debug-command", "yes"].map(str::to_owned));
    }
    arguments
}

/// Servers of version 7 and later have to be told that they may be debugged.
fn debug_has_to_be_enabled() -> bool {
    let said = process::Command::new("redis-server")
        .arg("--version")
        .output();
    let said = said.expect("redis-server is installed: tests/run sees to it");
    let said = str::from_utf8(&said.stdout).expect("text");
    let version = said
        .split_once("v=")
        .and_then(|(_, rest)| rest.split_once('.'));
    let major: u32 = version
        .and_then(|(major, _)| major.parse().ok())
        .unwrap_or_else(|| panic!("no version in {said:?}"));
    major >= 7
}

/// The machine's time, and what it was set forward or back by.
#[derive(Clone, Default)]
pub(crate) struct Stepped {
    machine: MonotonicClock,
    by: Arc<AtomicI64>,
}

impl Stepped {
    pub(crate) fn step(&self, seconds: i64) {
        self.by.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for Stepped {
    fn now_micros(&self) -> u64 {
        let by = self.by.load(Ordering::Relaxed);
        self.machine.now_micros().saturating_add_signed(by)
    }
}

/// A directory that ends with the scene.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        use std::sync::atomic::AtomicUsize;
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("ratelimit-faults-{}-{n}", process::id()));
        fs::create_dir(&path).expect("a directory for the server");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        // What is left behind is a few files among the system's temporary ones.
        let _ = fs::remove_dir_all(path);
    }
}

/// Waits until a condition holds; false if it does not come to.
pub(crate) async fn until(most: Duration, mut holds: impl AsyncFnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if holds().await {
            return true;
        }
        if begin.elapsed() > most {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
