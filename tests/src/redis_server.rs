//! A redis-server of the test's own: on a free port, in a directory of its own, without the
//! machine's configuration, and gone when the test is.

use std::{net::TcpListener, sync::OnceLock};

use ratelimit::{RedisStore, RedisStoreBuilder};

use crate::{
    guarded::Guarded,
    patience::{eventually, patient},
};

/// A running redis-server. It ends with this value or with the process, however that ends.
#[derive(Debug)]
pub struct RedisServer {
    server: Guarded,
    port: u16,
    password: Option<String>,
}

/// Writes files, given as name and content up to `--`, and becomes a redis-server.
const WITH_FILES: &str = r#"
    while [ "$1" != -- ]; do
        printf %s "$2" >"$1"
        shift 2
    done
    shift
    exec redis-server "$@"
"#;

impl RedisServer {
    /// Starts a server and waits until it accepts connections.
    ///
    /// # Panics
    ///
    /// There is no redis-server on the machine, or it does not start.
    pub fn start() -> Self {
        Self::start_with(&[], &[])
    }

    /// Starts a server that has these files, by name and content, in its directory, with more
    /// arguments. In these `{port}` stands for its port.
    ///
    /// # Panics
    ///
    /// There is no redis-server on the machine, or it does not start.
    pub fn start_with(files: &[(&str, &str)], arguments: &[&str]) -> Self {
        for _ in 0..20 {
            if let Some(server) = Self::try_start(free_port(), files, arguments) {
                return server;
            }
        }
        panic!("redis-server found no free port in 20 attempts");
    }

    /// Starts a server on this port; `None` if somebody else has it.
    ///
    /// # Panics
    ///
    /// There is no redis-server on the machine, or it does not start.
    pub fn start_on(port: u16) -> Option<Self> {
        Self::try_start(port, &[], &[])
    }

    /// Starts a server on this port with more arguments; `None` if somebody else has the port.
    ///
    /// # Panics
    ///
    /// There is no redis-server on the machine, or it does not start.
    pub fn start_on_with(port: u16, arguments: &[&str]) -> Option<Self> {
        Self::try_start(port, &[], arguments)
    }

    /// Has it stand still: the system keeps its connections, but nobody answers there.
    pub fn stop(&mut self) {
        self.server.stop();
    }

    /// Has it go on.
    pub fn cont(&mut self) {
        self.server.signal("CONT");
    }

    /// Kills it. What it has on disk stays there until this value is dropped.
    pub fn kill(&mut self) {
        self.server.signal("KILL");
        // The program alone writes there, so that this ends with it.
        while self.server.line().is_some() {}
    }

    fn try_start(port: u16, files: &[(&str, &str)], more: &[&str]) -> Option<Self> {
        let port_option = port.to_string();
        let usual = ["--port", &port_option, "--bind", "127.0.0.1"];
        let nothing_saved = ["--save", "", "--appendonly", "no"];
        let more: Vec<String> = more
            .iter()
            .map(|argument| argument.replace("{port}", &port_option))
            .collect();
        let files = files.iter().flat_map(|&(name, content)| [name, content]);
        let arguments: Vec<&str> = ["-c", WITH_FILES, "sh"]
            .into_iter()
            .chain(files)
            .chain(["--"])
            .chain(usual)
            .chain(nothing_saved)
            .chain(more.iter().map(String::as_str))
            .collect();
        let mut server = Guarded::start("sh", &arguments, &[]);
        let mut said = String::new();
        while let Some(line) = server.line() {
            if line.contains("Ready to accept connections") {
                let password = more
                    .iter()
                    .skip_while(|word| *word != "--requirepass")
                    .nth(1);
                let password = password.cloned();
                return Some(Self {
                    server,
                    port,
                    password,
                });
            }
            if line.contains("Failed listening") {
                return None;
            }
            said += &line;
        }
        panic!("redis-server did not start (is it installed? tests/run sees to it):\n{said}");
    }

    /// One server for all the tests of a binary that do not need one of their own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL it is reached at, with the password that it asks for.
    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// A store on it, which waits for its answers.
    ///
    /// # Panics
    ///
    /// It cannot be connected to.
    pub async fn store(&self) -> RedisStore {
        let store = self.builder().connect().await;
        store.expect("it accepts connections")
    }

    /// What makes such a store with more settings.
    pub fn builder(&self) -> RedisStoreBuilder {
        patient(RedisStore::builder(self.url()))
    }

    /// A plain connection to it, which waits for answers for as long as they take.
    ///
    /// # Panics
    ///
    /// It cannot be connected to.
    pub async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let connection = self.try_connection().await;
        connection.expect("it accepts connections")
    }

    /// Such a connection to a server that may be closing those it has.
    ///
    /// # Errors
    ///
    /// It cannot be connected to, or closes the connection before that is there.
    pub async fn try_connection(&self) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        redis::Client::open(self.url())?
            .get_multiplexed_async_connection_with_config(
                &redis::AsyncConnectionConfig::new()
                    .set_connection_timeout(None)
                    .set_response_timeout(None),
            )
            .await
    }

    /// How often a command was called since the server began.
    ///
    /// # Panics
    ///
    /// It does not say.
    pub async fn calls(&self, command: &str) -> u64 {
        let line = format!("cmdstat_{command}:calls=");
        let found = self.says("commandstats", &line).await;
        let calls = |rest: String| rest.split(',').next()?.parse().ok();
        found.map_or(0, |rest| calls(rest).expect("a number"))
    }

    /// Waits until its log on disk has all that it has answered, so that nothing of it is lost when
    /// it is killed: while the disk is slow to keep what it was given before, a server that has it
    /// do so each second goes on without.
    ///
    /// # Panics
    ///
    /// It does not say, or it takes too long.
    pub async fn has_written(&self) {
        let has = async || self.says("persistence", "aof_buffer_length:").await == Some("0".into());
        eventually("a log that has all", has).await;
    }

    /// What follows this in a section of what it tells of itself.
    async fn says(&self, section: &str, begin: &str) -> Option<String> {
        let told: String = redis::cmd("INFO")
            .arg(section)
            .query_async(&mut self.connection().await)
            .await
            .expect("what it tells of itself");
        let found = told.lines().find_map(|line| line.strip_prefix(begin));
        found.map(str::to_owned)
    }
}

/// A port that was free a moment ago. Servers of a cluster also take the one 10,000 above it.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("the loopback interface has free ports")
            .port();
        if port <= u16::MAX - 10_000 {
            return port;
        }
    }
}
