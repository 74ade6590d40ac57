//! Runs every comparison, prints one table and writes it to `benches/RESULTS.md`.
//!
//! Started by `benches/run`, which sees to wrk and redis-server. With an argument it runs a part of
//! them, and does not write the table.

mod chart;
mod compile;
mod denied;
mod eviction;
mod floods;
mod footprint;
mod growth;
mod http;
mod machine;
mod memory;
mod redis_check;

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use ratelimit_benches::compare;

use self::compare::Table;

const DEFAULT_CAPACITY: u32 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let chosen = env::args().nth(1);
    let is_chosen = |names: &[&str]| chosen.as_deref().is_none_or(|name| names.contains(&name));
    if chosen.as_deref() == Some("floods") {
        let seconds = env::args().nth(2).and_then(|seconds| seconds.parse().ok());
        let time = Duration::from_secs(seconds.unwrap_or(60));
        return Ok(io::stdout().write_all(floods::run(time)?.as_bytes())?);
    }
    let mut table = Table::default();
    if is_chosen(&["memory", "checks"]) {
        memory::run(&mut table);
    }
    if is_chosen(&["memory", "footprint"]) {
        footprint::run(&mut table)?;
    }
    if is_chosen(&["memory", "eviction"]) {
        let capacity = env::args()
            .nth(2)
            .and_then(|capacity| capacity.parse().ok());
        eviction::run(&mut table, capacity.unwrap_or(DEFAULT_CAPACITY));
    }
    if is_chosen(&["memory", "denied"]) {
        denied::run(&mut table);
    }
    if is_chosen(&["memory", "growth"]) {
        growth::run(&mut table)?;
    }
    if is_chosen(&["http"]) {
        http::run(&mut table)?;
    }
    if is_chosen(&["redis"]) {
        redis_check::run(&mut table)?;
    }
    if is_chosen(&["redis", "leases"]) {
        redis_check::leases(&mut table)?;
    }
    if is_chosen(&["compile"]) {
        compile::run(&mut table)?;
    }

    let results = format!("{}\n{}", machine::describe(), table.to_markdown());
    if chosen.is_none() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("RESULTS.md");
        fs::write(&file, &results)?;
    }
    Ok(io::stdout().write_all(results.as_bytes())?)
}
