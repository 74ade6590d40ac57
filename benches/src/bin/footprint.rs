//! Counts what limiters ask of the allocator, and prints the rows of the table that say so.
//!
//! A program of its own, since counting makes the allocator slower.

use std::{
    alloc::System,
    io::{self, Write},
};

use ratelimit_benches::{
    clients,
    compare::{Table, Unit},
    limiters::{EVERYBODY, Terms},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CHECKS: u32 = 200_000;

fn main() -> io::Result<()> {
    let mut table = Table::default();
    let allocations = EVERYBODY.map(|make| {
        let clients = 10_000;
        let limiter = make(&Terms::plenty(clients)).knowing(clients);
        let sequence = clients::uniform(clients, CHECKS as usize);
        let region = Region::new(ALLOCATOR);
        limiter.check(&sequence);
        let counted = region.change();
        let asked = count(counted.allocations + counted.reallocations);
        (limiter.name, asked / f64::from(CHECKS))
    });
    table.state(
        "allocations of a check in memory of a known client",
        Unit::Allocations,
        &allocations,
    );
    let bytes = EVERYBODY.map(|make| {
        let clients = 1_000_000;
        let everyone = clients::each(clients);
        let terms = Terms::plenty(clients);
        let region = Region::new(ALLOCATOR);
        let limiter = make(&terms);
        limiter.check(&everyone);
        let counted = region.change();
        let held = count(counted.bytes_allocated - counted.bytes_deallocated);
        (limiter.name, held / f64::from(clients))
    });
    table.state(
        "memory for each of 1000000 clients, one request of each",
        Unit::Bytes,
        &bytes,
    );
    io::stdout().write_all(table.rows().as_bytes())
}

fn count(counted: usize) -> f64 {
    // Nobody takes 4 GiB here.
    f64::from(u32::try_from(counted).unwrap_or(u32::MAX))
}
