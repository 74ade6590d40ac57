//! A Redis Cluster of the test's own: three servers, each with a third of the slots.

use std::{
    mem,
    time::{Duration, Instant},
};

use redis::{Cmd, FromRedisValue, aio::MultiplexedConnection, cmd};

use crate::{Proxy, RedisServer, patience::eventually};

/// Running servers, which end with this value.
#[derive(Debug)]
pub struct RedisCluster {
    servers: Vec<RedisServer>,
    // Held for their directories, which the servers that took their places use.
    killed: Vec<RedisServer>,
}

/// A server that was killed: see [`RedisCluster::kill`].
#[derive(Debug)]
pub struct Killed {
    n: usize,
    directory: String,
}

const SLOTS: usize = 16_384;

/// How many servers have slots.
const SHARDS: usize = 3;

impl RedisCluster {
    /// Starts the servers and waits until they are a cluster.
    ///
    /// # Panics
    ///
    /// They do not become one.
    pub async fn start() -> Self {
        let servers: Vec<RedisServer> = (0..SHARDS).map(|_| member()).collect();
        let slots: Vec<usize> = (0..SLOTS).collect();
        for (n, slots) in slots.chunks(SLOTS.div_ceil(SHARDS)).enumerate() {
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
        Self {
            servers,
            killed: Vec::new(),
        }
    }

    /// Starts a cluster in which the slots of a server that is gone are the only ones that are not
    /// served, instead of the whole cluster.
    pub async fn start_with_partial_coverage() -> Self {
        let cluster = Self::start().await;
        for server in &cluster.servers {
            config_set(server, "cluster-require-full-coverage", "no").await;
        }
        cluster
    }

    /// Starts a proxy before each server, and has the servers announce the proxies' ports in place of
    /// their own. The proxies are in the order of the servers.
    ///
    /// # Panics
    ///
    /// A server does not learn the ports of the others.
    pub async fn announce_proxies(&self) -> Vec<Proxy> {
        let mut proxies = Vec::new();
        for server in &self.servers {
            let proxy = Proxy::start(server.port()).await;
            let port = proxy.port().to_string();
            config_set(server, "cluster-announce-port", &port).await;
            proxies.push(proxy);
        }
        for server in &self.servers {
            for proxy in &proxies {
                let announced = format!("127.0.0.1:{}@", proxy.port());
                until(server, &cluster("NODES"), &announced).await;
            }
        }
        proxies
    }

    /// Suspends a server: its connections stay open, and it answers no command.
    pub async fn stop(&mut self, n: usize) {
        let server = &mut self.servers[n];
        server.stop();
        // Long enough for one that has not stopped yet.
        let answer = async || {
            let answer = async {
                let mut connection = server.connection().await;
                let _: () = ask(&mut connection, &cmd("PING")).await;
            };
            tokio::time::timeout(Duration::from_millis(500), answer).await
        };
        while answer().await.is_ok() {}
    }

    /// Resumes a suspended server.
    pub fn cont(&mut self, n: usize) {
        self.servers[n].cont();
    }

    /// Kills a server, which can be started again.
    ///
    /// # Panics
    ///
    /// It does not say which directory it uses.
    pub async fn kill(&mut self, n: usize) -> Killed {
        let mut get = cmd("CONFIG");
        get.arg("GET").arg("dir");
        let mut connection = self.servers[n].connection().await;
        let (_, directory): (String, String) = ask(&mut connection, &get).await;
        self.servers[n].kill();
        Killed { n, directory }
    }

    /// Starts a server again that was killed, as the same member of the cluster.
    ///
    /// # Panics
    ///
    /// Its port is no longer free.
    pub fn start_again(&mut self, killed: &Killed) {
        let port = self.servers[killed.n].port();
        let arguments = ["--cluster-enabled", "yes", "--dir", &killed.directory];
        let again = RedisServer::start_on_with(port, &arguments);
        let again = again.expect("the port is still free");
        let before = mem::replace(&mut self.servers[killed.n], again);
        self.killed.push(before);
    }

    /// Waits until the cluster is up as this server sees it.
    ///
    /// # Panics
    ///
    /// It does not come up.
    pub async fn is_ok(&self, n: usize) {
        until(&self.servers[n], &cluster("INFO"), "cluster_state:ok").await;
    }

    /// Waits until the server is a master that serves slots.
    ///
    /// # Panics
    ///
    /// It does not become one.
    pub async fn is_master(&self, n: usize) {
        until(&self.servers[n], &cluster("NODES"), "myself,master").await;
        self.is_ok(n).await;
    }

    /// Waits until the cluster is down as this server sees it.
    ///
    /// # Panics
    ///
    /// It does not go down.
    pub async fn is_fail(&self, n: usize) {
        until(&self.servers[n], &cluster("INFO"), "cluster_state:fail").await;
    }

    /// Sets how long the servers wait for each other.
    pub async fn set_node_timeout(&self, timeout: Duration) {
        let millis = timeout.as_millis().to_string();
        for server in &self.servers {
            config_set(server, "cluster-node-timeout", &millis).await;
        }
    }

    /// Takes a slot from all servers.
    pub async fn drop_slot(&self, slot: u64) {
        for server in &self.servers {
            let mut drop = cluster("DELSLOTS");
            let _: () = ask(&mut server.connection().await, drop.arg(slot)).await;
        }
    }

    /// Gives a slot that no server has to this one, and waits until all servers know.
    pub async fn take_slot(&self, slot: u64, server: &RedisServer) {
        let mut take = cluster("ADDSLOTS");
        let _: () = ask(&mut server.connection().await, take.arg(slot)).await;
        let bump = cluster("BUMPEPOCH");
        let _: redis::Value = ask(&mut server.connection().await, &bump).await;
        for server in &self.servers {
            until(server, &cluster("INFO"), "cluster_slots_assigned:16384").await;
        }
    }

    /// Adds a server that has no slots.
    ///
    /// # Panics
    ///
    /// The others do not learn of it.
    pub async fn add_server(&mut self) {
        let server = member();
        let mut connection = server.connection().await;
        let id: String = ask(&mut connection, &cluster("MYID")).await;
        let mut meet = cluster("MEET");
        let first = self.servers[0].port();
        let _: () = ask(&mut connection, meet.arg("127.0.0.1").arg(first)).await;
        for other in &self.servers {
            until(other, &cluster("NODES"), &id).await;
            let known = || async {
                let nodes: String = ask(&mut other.connection().await, &cluster("NODES")).await;
                let line = nodes.lines().find(|line| line.starts_with(&id));
                line.is_some_and(|line| !line.contains("handshake") && line.ends_with("connected"))
            };
            eventually("a server that the others know", known).await;
        }
        until(&server, &cluster("INFO"), "cluster_state:ok").await;
        self.servers.push(server);
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
            config_set(member, "cluster-node-timeout", "1000").await;
        }
        self.servers[0] = replica;
    }

    /// The servers.
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// Hands over a server, which is no longer one of [`servers`](Self::servers).
    pub fn take(&mut self, n: usize) -> RedisServer {
        self.servers.remove(n)
    }

    /// The slot of a key, and the server that has it.
    ///
    /// # Panics
    ///
    /// No server says so.
    pub async fn place_of(&self, key: &str) -> (u64, &RedisServer) {
        let mut first = self.servers[0].connection().await;
        let slot: u64 = ask(&mut first, cluster("KEYSLOT").arg(key)).await;
        let begin = Instant::now();
        // For a few milliseconds after a slot has moved the servers may not agree who has it.
        while begin.elapsed() < Duration::from_secs(10) {
            for server in &self.servers {
                let mut connection = server.connection().await;
                let mut exists = cmd("EXISTS");
                // Others answer that it is not theirs.
                let theirs: Result<u64, _> = exists.arg(key).query_async(&mut connection).await;
                if theirs.is_ok() {
                    return (slot, server);
                }
            }
        }
        panic!("nobody has slot {slot}");
    }

    /// Begins to move a slot: what is not there yet will be at the other server.
    ///
    /// # Panics
    ///
    /// A server refuses.
    pub async fn begin_move(&self, slot: u64, from: &RedisServer, to: &RedisServer) {
        let mut source = from.connection().await;
        let mut target = to.connection().await;
        let source_id: String = ask(&mut source, &cluster("MYID")).await;
        let target_id: String = ask(&mut target, &cluster("MYID")).await;
        // A server that takes a slot claims it with a higher epoch than all that it has heard of. If it
        // has not heard of the owner's yet, a late message of the owner takes the slot back: each of
        // them then names the other, for ever.
        let epoch = epoch(&mut source, &source_id).await;
        eventually("what the owner of the slot says of itself", async || {
            self::epoch(&mut to.connection().await, &source_id).await == epoch
        })
        .await;
        let _: () = ask(&mut target, &set_slot(slot, &["IMPORTING", &source_id])).await;
        let _: () = ask(&mut source, &set_slot(slot, &["MIGRATING", &target_id])).await;
    }

    /// Has a slot stay where it is that was about to be moved.
    ///
    /// # Panics
    ///
    /// A server refuses.
    pub async fn end_move(&self, slot: u64, from: &RedisServer, to: &RedisServer) {
        for server in [from, to] {
            let mut connection = server.connection().await;
            let _: () = ask(&mut connection, &set_slot(slot, &["STABLE"])).await;
        }
    }

    /// Moves a slot and what is in it, as `redis-cli --cluster reshard` does.
    ///
    /// # Panics
    ///
    /// A server refuses.
    pub async fn move_slot(&self, slot: u64, from: &RedisServer, to: &RedisServer) {
        self.begin_move(slot, from, to).await;
        let mut source = from.connection().await;
        let mut target = to.connection().await;
        let target_id: String = ask(&mut target, &cluster("MYID")).await;
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
        for server in [&mut target, &mut source] {
            let _: () = ask(server, &set_slot(slot, &["NODE", &target_id])).await;
        }
    }
}

/// The epoch of a server, as far as this one has heard.
async fn epoch(connection: &mut MultiplexedConnection, id: &str) -> Option<String> {
    let nodes: String = ask(connection, &cluster("NODES")).await;
    let node = nodes.lines().find(|line| line.starts_with(id))?;
    node.split(' ').nth(6).map(str::to_owned)
}

fn set_slot(slot: u64, state: &[&str]) -> Cmd {
    let mut set = cluster("SETSLOT");
    set.arg(slot).arg(state);
    set
}

async fn config_set(server: &RedisServer, name: &str, value: &str) {
    let mut set = cmd("CONFIG");
    set.arg("SET").arg(name).arg(value);
    let _: () = ask(&mut server.connection().await, &set).await;
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
