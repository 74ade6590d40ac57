//! A Redis Cluster of the test's own: three servers, each with a third of the slots.

use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue, aio::MultiplexedConnection, cmd};

use crate::RedisServer;

/// Running servers, which end with this value.
#[derive(Debug)]
pub struct RedisCluster {
    servers: Vec<RedisServer>,
}

const SLOTS: usize = 16_384;

impl RedisCluster {
    /// Starts the servers and waits until they are a cluster.
    ///
    /// # Panics
    ///
    /// They do not become one.
    pub async fn start() -> Self {
        let servers: Vec<RedisServer> = (0..3).map(|_| member()).collect();
        let slots: Vec<usize> = (0..SLOTS).collect();
        for (n, slots) in slots.chunks(SLOTS.div_ceil(3)).enumerate() {
            let mut connection = servers[n].connection().await;
            let _: () = ask(&mut connection, cluster("ADDSLOTS").arg(slots)).await;
            let _: () = ask(&mut connection, cluster("SET-CONFIG-EPOCH").arg(n + 1)).await;
        }
        let mut first = servers[0].connection().await;
        for other in &servers[1..] {
            let meet = &mut cluster("MEET");
            let _: () = ask(&mut first, meet.arg("127.0.0.1").arg(other.port())).await;
        }
        for server in &servers {
            let info = &cluster("INFO");
            until(server, info, "cluster_known_nodes:3").await;
            until(server, info, "cluster_state:ok").await;
        }
        Self { servers }
    }

    /// Gives the first server a replica, and then ends it.
    ///
    /// # Panics
    ///
    /// The replica does not become one.
    pub async fn lose_the_first_to_a_replica(&mut self) {
        let replica = member();
        let mut connection = self.servers[0].connection().await;
        let id: String = ask(&mut connection, &cluster("MYID")).await;
        let mut meet = cluster("MEET");
        let _: () = ask(&mut connection, meet.arg("127.0.0.1").arg(replica.port())).await;
        until(&replica, &cluster("NODES"), &id).await;
        let replicate = &mut cluster("REPLICATE");
        let _: () = ask(&mut replica.connection().await, replicate.arg(&id)).await;
        until(
            &replica,
            cmd("INFO").arg("replication"),
            "master_link_status:up",
        )
        .await;
        let of_first = format!("slave {id}");
        for other in &self.servers {
            until(other, &cluster("NODES"), &of_first).await;
        }
        // By default they wait 15 seconds for a server, so that none is taken for gone on a machine
        // on which much else goes on.
        for member in self.servers.iter().chain([&replica]) {
            let mut set = cmd("CONFIG");
            set.arg("SET").arg("cluster-node-timeout").arg(1_000);
            let _: () = ask(&mut member.connection().await, &set).await;
        }
        self.servers[0] = replica;
    }

    /// The servers.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// The slot of a key, and the server that has it.
    ///
    /// # Panics
    ///
    /// No server says so.
    pub async fn place_of(&self, key: &str) -> (u64, &RedisServer) {
        let mut first = self.servers[0].connection().await;
        let slot: u64 = ask(&mut first, cluster("KEYSLOT").arg(key)).await;
        for server in &self.servers {
            let mut connection = server.connection().await;
            let mut exists = cmd("EXISTS");
            // Others answer that it is not theirs.
            let theirs: Result<u64, _> = exists.arg(key).query_async(&mut connection).await;
            if theirs.is_ok() {
                return (slot, server);
            }
        }
        panic!("nobody has slot {slot}");
    }

    /// Moves a slot and what is in it, as `redis-cli --cluster reshard` does.
    ///
    /// # Panics
    ///
    /// A server refuses.
    pub async fn move_slot(&self, slot: u64, from: &RedisServer, to: &RedisServer) {
        let mut source = from.connection().await;
        let mut target = to.connection().await;
        let source_id: String = ask(&mut source, &cluster("MYID")).await;
        let target_id: String = ask(&mut target, &cluster("MYID")).await;
        let set = |state: &str, id: &str| {
            let mut set = cluster("SETSLOT");
            set.arg(slot).arg(state).arg(id);
            set
        };
        let _: () = ask(&mut target, &set("IMPORTING", &source_id)).await;
        let _: () = ask(&mut source, &set("MIGRATING", &target_id)).await;
        loop {
            let some = &mut cluster("GETKEYSINSLOT");
            let keys: Vec<String> = ask(&mut source, some.arg(slot).arg(10)).await;
            if keys.is_empty() {
                break;
            }
            let mut migrate = cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(to.port()).arg("").arg(0);
            migrate.arg(5_000).arg("KEYS").arg(keys);
            let _: () = ask(&mut source, &migrate).await;
        }
        let _: () = ask(&mut target, &set("NODE", &target_id)).await;
        let _: () = ask(&mut source, &set("NODE", &target_id)).await;
    }
}

fn member() -> RedisServer {
    RedisServer::start_with(&[], &["--cluster-enabled", "yes"])
}

/// Waits until an answer has this in it.
async fn until(server: &RedisServer, question: &Cmd, expected: &str) {
    let mut connection = server.connection().await;
    let begin = Instant::now();
    loop {
        let answer: String = ask(&mut connection, question).await;
        if answer.contains(expected) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn cluster(command: &str) -> Cmd {
    let mut cluster = cmd("CLUSTER");
    cluster.arg(command);
    cluster
}

async fn ask<T: FromRedisValue>(connection: &mut MultiplexedConnection, command: &Cmd) -> T {
    let answer = command.query_async(connection).await;
    answer.unwrap_or_else(|error| panic!("{error}"))
}
