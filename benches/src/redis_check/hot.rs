//! Few clients that ask much: leases beside asking Redis each time, and beside a peer that answers from
//! memory and tells Redis later.

use std::error::Error;

use ratelimit::Algorithm;
use ratelimit_tests::RedisServer;
use tokio::runtime::Runtime;

use super::{arena::Arena, load::Load, ours, peers};
use crate::compare::Table;

const CLIENTS: u32 = 10;
/// So many that nobody comes to them within a comparison.
const LIMIT: u32 = 2_000_000_000;

pub(super) fn run(table: &mut Table, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    for load in [1, 64].map(Load::InFlight) {
        // Not the sliding window, whose log of so many there cannot be.
        for algorithm in [Algorithm::TokenBucket, Algorithm::FixedWindow] {
            let server = RedisServer::start();
            let arena = Arena {
                runtime,
                server: &server,
                load,
                clients: CLIENTS,
                limit: LIMIT,
            };
            let contestants = vec![
                ours::store(arena, algorithm)?,
                ours::leases(arena, algorithm)?,
                peers::trypema_hybrid(arena)?,
            ];
            let name = algorithm.name();
            let what = format!("check through Redis of {CLIENTS} busy clients, {name}, {load}");
            table.compare(&what, load.unit(), contestants);
        }
    }
    Ok(())
}
