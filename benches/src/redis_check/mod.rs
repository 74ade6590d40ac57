//! A check through Redis beside a raw EVALSHA of the same script, beside a raw INCR, which is the
//! least that counting in Redis can cost, and beside the peers, all through the same client.

mod arena;
mod blog;
mod flood;
mod hot;
mod in_flight;
mod load;
mod ours;
mod peers;
mod raw;

use std::{error::Error, io, time::Duration};

use ratelimit::Algorithm;
use ratelimit_tests::{ALGORITHMS, RedisServer};
use tokio::runtime::{Builder, Runtime};

use self::{arena::Arena, load::Load};
use crate::compare::{Contestant, Table};

const PER: Duration = Duration::from_hours(1);
const CLIENTS: u32 = 10_000;
const LIMIT: u32 = 100_000;

type Made<'a> = Result<Contestant<'a>, Box<dyn Error>>;

pub(crate) fn run(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let runtime = runtime()?;
    let loads = [1, 64, 256].map(Load::InFlight).into_iter();
    for load in loads.chain([Load::Paced]) {
        for algorithm in ALGORITHMS {
            compare(table, &runtime, algorithm, load)?;
        }
    }
    flood::run(table, &runtime)?;
    in_flight::run(table, &runtime)
}

/// Leases, where they are for.
pub(crate) fn leases(table: &mut Table) -> Result<(), Box<dyn Error>> {
    hot::run(table, &runtime()?)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
}

fn compare(
    table: &mut Table,
    runtime: &Runtime,
    algorithm: Algorithm,
    load: Load,
) -> Result<(), Box<dyn Error>> {
    // Each round on a server of its own would measure start-up; each comparison has one.
    let server = RedisServer::start();
    let arena = Arena {
        runtime,
        server: &server,
        load,
        clients: CLIENTS,
        limit: LIMIT,
    };
    let mut contestants = vec![
        raw::evalsha(arena, algorithm)?,
        ours::store(arena, algorithm)?,
        raw::incr(arena)?,
    ];
    if let Load::InFlight(_) = load {
        contestants.extend(peers(arena, algorithm)?);
    }
    let what = format!("check through Redis, {}, {load}", algorithm.name());
    table.compare(&what, load.unit(), contestants);
    Ok(())
}

/// Those who have the algorithm, or their own instead of it.
fn peers(arena: Arena<'_>, algorithm: Algorithm) -> Result<Vec<Contestant<'_>>, Box<dyn Error>> {
    let mut peers = vec![peers::axum_limit(arena, algorithm)?];
    match algorithm {
        Algorithm::TokenBucket => peers.push(blog::token_bucket(arena)?),
        Algorithm::SlidingWindow => {
            peers.extend([blog::sliding_window(arena)?, peers::trypema(arena)?]);
        }
        _ => {}
    }
    Ok(peers)
}
