//! A limited handler beside other people's, over HTTP: the server has one core and wrk the other.

pub(crate) mod blog;
mod redis;
mod server;

use std::error::Error;

use self::server::{Server, Wrk};
use crate::compare::{Contestant, Table, Unit};

const SERVERS: [(&str, &str); 5] = [
    ("bare", "the bare handler"),
    ("ratelimit", "#[rate_limit] with tiers, memory, all headers"),
    ("tower_governor", "tower_governor, with its headers"),
    ("axum-governor", "axum-governor, with its headers"),
    ("axum_gcra", "axum_gcra on axum 0.7, which has no headers"),
];

pub(crate) fn run(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut servers = Vec::new();
    for (variant, name) in SERVERS {
        servers.push((name, Server::of_ours(&[variant])?));
    }
    let wrk = Wrk {
        connections: 32,
        script: None,
    };
    compare(table, "HTTP", &servers, &wrk);
    redis::run(table)
}

fn compare(table: &mut Table, what: &str, servers: &[(&str, Server)], wrk: &Wrk) {
    let contestants = servers
        .iter()
        .map(|(name, server)| Contestant::new(*name, || wrk.requests_per_second(server)))
        .collect();
    let what = format!("{what}, wrk with {} connections", wrk.connections);
    table.compare(&what, Unit::PerSecond, contestants);
}
