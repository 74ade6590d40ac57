//! A master, its replica, and the sentinel that makes the replica the master when it has to.

use std::time::{Duration, Instant};

use redis::{Cmd, aio::MultiplexedConnection, cmd};

use crate::{RedisServer, guarded::Guarded, redis_server::free_port};

/// A running sentinel, which watches a master under the name `mymaster`. It ends with this value.
#[derive(Debug)]
pub struct Sentinel {
    // Held for its end.
    _sentinel: Guarded,
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
        let sentinel = Self::watch(master.port());
        let mut replicas = cmd("SENTINEL");
        replicas.arg("REPLICAS").arg("mymaster");
        let known = format!("127.0.0.1:{}", replica.port());
        until(&sentinel.url(), &replicas, &known).await;
        (sentinel, master, replica)
    }

    fn watch(master: u16) -> Self {
        for _ in 0..20 {
            let port = free_port();
            let password = Self::PASSWORD;
            let configuration = format!(
                "port {port}
                 bind 127.0.0.1
                 sentinel monitor mymaster 127.0.0.1 {master} 1
                 sentinel auth-pass mymaster {password}
                 sentinel down-after-milliseconds mymaster 300
                 sentinel failover-timeout mymaster 2000"
            );
            let arguments = ["-c", WITH_CONFIGURATION, "sh", &configuration];
            let mut sentinel = Guarded::start("sh", &arguments, &[]);
            while let Some(line) = sentinel.line() {
                if line.contains("+monitor master mymaster") {
                    return Self {
                        _sentinel: sentinel,
                        port,
                    };
                }
            }
        }
        panic!("redis-server --sentinel did not start in 20 attempts");
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
