//! A limited handler beside other people's, over HTTP: the server has one core and wrk the other.

pub(crate) mod blog;
mod redis;
mod server;

use std::{error::Error, io, iter};

use self::server::{Server, Wrk};
use crate::compare::{ROUNDS, Table, Unit};

const SERVERS: [(&str, &str); 6] = [
    ("bare", "the bare handler"),
    (
        "three-headers",
        "the bare handler, which always writes the same three headers",
    ),
    ("ratelimit", "#[rate_limit] with tiers, memory, all headers"),
    ("tower_governor", "tower_governor, with its headers"),
    ("axum-governor", "axum-governor, with its headers"),
    ("axum_gcra", "axum_gcra on axum 0.7, which has no headers"),
];

pub(crate) fn run(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut servers = Vec::new();
    for (variant, name) in SERVERS {
        servers.push(Server::of_ours(name, &[variant])?);
    }
    let wrk = Wrk {
        connections: 32,
        script: None,
    };
    compare(table, "HTTP", &servers, &wrk)?;
    redis::run(table)
}

fn compare(table: &mut Table, what: &str, servers: &[Server], wrk: &Wrk) -> io::Result<()> {
    let what = format!("{what}, wrk with {} connections", wrk.connections);
    eprintln!("{what}");
    let round = || wrk.round(servers);
    let rounds: io::Result<Vec<Vec<f64>>> = iter::repeat_with(round).take(ROUNDS).collect();
    let names: Vec<&str> = servers.iter().map(|server| server.name).collect();
    table.add_rounds(&what, Unit::PerSecond, &names, &rounds?);
    Ok(())
}
