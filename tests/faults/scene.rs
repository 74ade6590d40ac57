//! Where a fault takes place: a server, perhaps a proxy before it, and a limiter that uses it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process, str,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use ratelimit::{Clock, MonotonicClock, RateLimiter, RedisStore};
use ratelimit_tests::{Proxy, RedisServer, Sentinel};
use redis::aio::MultiplexedConnection;

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
}

impl Way {
    /// How many checks there are at once.
    pub(crate) fn concurrent(self) -> u32 {
        if self == Self::ProxyInTurn { 1 } else { 8 }
    }
}

pub(crate) struct Scene {
    /// `None` while it is dead.
    server: Option<RedisServer>,
    /// What takes its place then, if anything does.
    standby: Option<RedisServer>,
    // Held for its end.
    _sentinel: Option<Sentinel>,
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
        let (sentinel, server, standby) = if way == Way::Sentinel {
            let (sentinel, master, replica) = Sentinel::start().await;
            (Some(sentinel), master, Some(replica))
        } else {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            (None, RedisServer::start_with(&[], &arguments), None)
        };
        let mut connection = server.connection().await;
        run(&mut connection, "HSET api_key:k-pro tier pro").await;
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
                RedisStore::sentinel([sentinel.url()], master)
            }
            _ => RedisStore::builder(server.url()),
        };
        let clock = Stepped::default();
        if steps {
            builder = builder.clock(clock.clone());
        }
        let (server, store) = if way == Way::NotYet {
            drop(server);
            (None, builder.connect_lazily())
        } else {
            (Some(server), builder.connect().await)
        };
        let limiter = RateLimiter::builder()
            .store(store.expect("nothing is wrong with it"))
            .build()
            .expect("nothing is wrong with it");
        Self {
            server,
            standby,
            _sentinel: sentinel,
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
        self.server = Some(standby);
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
