//! A master, its replica, and the sentinels that make the replica the master when they have to.

use std::time::{Duration, Instant};

use redis::{Cmd, aio::MultiplexedConnection, cmd};

use crate::{RedisServer, guarded::Guarded, patience::eventually, redis_server::free_port};

/// What a sentinel has to be told to act.
const ABLE: &str = "";

/// What one is told that sees no other sentinel.
const DEAF: &str = "sentinel auth-user mymaster deaf
                 sentinel down-after-milliseconds mymaster 3600000";

/// A running sentinel, which watches a master under the name `mymaster`. It ends with this value.
#[derive(Debug)]
pub struct Sentinel {
    process: Guarded,
    port: u16,
}

const WITH_CONFIGURATION: &str = r#"
    printf '%s\n' "$1" >sentinel.conf
    exec redis-server sentinel.conf --sentinel
"#;

impl Sentinel {
    /// The password that the servers ask for.
    pub const PASSWORD: &str = "M4STER";

    /// Starts a master, a replica of it, and a sentinel that knows both.
    ///
    /// # Panics
    ///
    /// They do not find each other.
    pub async fn start() -> (Self, RedisServer, RedisServer) {
        let password = [
            "--requirepass",
            Self::PASSWORD,
            "--masterauth",
            Self::PASSWORD,
        ];
        let master = RedisServer::start_with(&[], &password);
        let port = master.port().to_string();
        let of_master = [
            "--replicaof",
            "127.0.0.1",
            &port,
            "--repl-diskless-sync-delay",
            "0",
        ];
        let replica = RedisServer::start_with(&[], &[&password[..], &of_master].concat());
        until(
            &replica.url(),
            &{
                let mut info = cmd("INFO");
                info.arg("replication");
                info
            },
            "master_link_status:up",
        )
        .await;
        let sentinel = Self::watch(master.port(), ABLE);
        let mut replicas = cmd("SENTINEL");
        replicas.arg("REPLICAS").arg("mymaster");
        let known = format!("127.0.0.1:{}", replica.port());
        until(&sentinel.url(), &replicas, &known).await;
        (sentinel, master, replica)
    }

    /// Starts a second sentinel that sees the same master, and never finds out that another server has
    /// become it: it hears nothing from other sentinels, and cannot act alone.
    ///
    /// # Panics
    ///
    /// It does not start.
    pub async fn out_of_date(master: &RedisServer) -> Self {
        let mut connection = master.connection().await;
        let mut user = cmd("ACL");
        user.arg("SETUSER").arg("deaf").arg("on");
        user.arg(format!(">{}", Self::PASSWORD));
        user.arg("~*").arg("+@all").arg("resetchannels");
        let set: redis::RedisResult<()> = user.query_async(&mut connection).await;
        set.expect("a user without channels");
        Self::watch(master.port(), DEAF)
    }

    /// Starts a second sentinel that does what the first does.
    ///
    /// # Panics
    ///
    /// It does not start.
    pub fn another(master: &RedisServer) -> Self {
        Self::watch(master.port(), ABLE)
    }

    fn watch(master: u16, more: &str) -> Self {
        for _ in 0..20 {
            let port = free_port();
            let password = Self::PASSWORD;
            let configuration = format!(
                "port {port}
                 bind 127.0.0.1
                 sentinel monitor mymaster 127.0.0.1 {master} 1
                 sentinel auth-pass mymaster {password}
                 sentinel down-after-milliseconds mymaster 300
                 sentinel failover-timeout mymaster 2000
                 {more}"
            );
            let arguments = ["-c", WITH_CONFIGURATION, "sh", &configuration];
            let mut process = Guarded::start("sh", &arguments, &[]);
            while let Some(line) = process.line() {
                if line.contains("+monitor master mymaster") {
                    return Self { process, port };
                }
            }
        }
        panic!("redis-server --sentinel did not start in 20 attempts");
    }

    /// Has it stand still: it accepts connections and does not answer.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// The port of the server that it names as the master; 0 if it names none.
    ///
    /// # Panics
    ///
    /// It does not answer.
    pub async fn master(&self) -> u16 {
        let mut query = cmd("SENTINEL");
        query.arg("GET-MASTER-ADDR-BY-NAME").arg("mymaster");
        let named: redis::RedisResult<Option<(String, u16)>> =
            query.query_async(&mut self.connection().await).await;
        named.expect("an answer").map_or(0, |(_, port)| port)
    }

    async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("a URL");
        let connection = client.get_multiplexed_async_connection().await;
        connection.expect("it accepts connections")
    }

    /// Has it make the replica the master, while the master is well.
    ///
    /// # Panics
    ///
    /// It refuses for a long time.
    pub async fn fail_over(&self) {
        let mut command = cmd("SENTINEL");
        command.arg("FAILOVER").arg("mymaster");
        // It refuses while it has not heard of the replica lately, as on a busy machine.
        eventually("a failover", async || {
            let mut connection = self.connection().await;
            let done: redis::RedisResult<()> = command.query_async(&mut connection).await;
            done.is_ok()
        })
        .await;
    }

    /// The URL it is reached at.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

/// Waits until an answer, as it is printed, has this in it.
async fn until(url: &str, question: &Cmd, expected: &str) {
    let client = redis::Client::open(url).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection: MultiplexedConnection = connection.expect("it accepts connections");
    let begin = Instant::now();
    loop {
        let answer: redis::Value = question
            .query_async(&mut connection)
            .await
            .expect("an answer");
        let answer = format!("{answer:?}");
        if answer.contains(expected) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
