//! A check of a known client in memory.

use ratelimit_benches::{
    clients,
    compare::{Contestant, Table, Unit},
    limiters::{EVERYBODY, Limiter, Terms, rate_limiter, unobserved},
};

/// Of each round, so many that caches are as they would be if it went on.
const CHECKS: usize = 500_000;

/// By Zipf's law there are fewer, so that in all rounds together the most frequent client stays
/// within its limit.
const ZIPF_CHECKS: usize = 150_000;

pub(crate) fn run(table: &mut Table) {
    for clients in [10_000, 1_000_000] {
        let orders = [
            ("equally often", clients::uniform(clients, CHECKS)),
            ("by Zipf's law", clients::zipf(clients, ZIPF_CHECKS)),
        ];
        for (order, sequence) in orders {
            for threads in [1, 2] {
                let what =
                    format!("check in memory, {clients} known clients {order}, threads: {threads}");
                let limiters = EVERYBODY.map(|make| make(&Terms::plenty(clients)).knowing(clients));
                compare(table, &what, &limiters, &sequence, threads, sequence.len());
            }
        }
    }
    counted(table);
}

/// What it costs that a limiter counts what it decides.
fn counted(table: &mut Table) {
    let clients = 10_000;
    let sequence = clients::uniform(clients, CHECKS);
    let cases = [
        ("admitted", Terms::plenty(clients), CHECKS),
        ("turned away", Terms::used_up(clients), 0),
    ];
    for (whose, terms, admitted) in cases {
        let what =
            format!("what it costs that checks of {clients} clients who are {whose} are counted");
        let limiters = [unobserved, rate_limiter].map(|make| make(&terms).knowing(clients));
        compare(table, &what, &limiters, &sequence, 1, admitted);
    }
}

fn compare(
    table: &mut Table,
    what: &str,
    limiters: &[Limiter],
    sequence: &[u32],
    threads: usize,
    admitted: usize,
) {
    let contestants = limiters
        .iter()
        .map(|limiter| Contestant::new(&limiter.name, || limiter.time(sequence, threads, admitted)))
        .collect();
    table.compare(what, Unit::Nanoseconds, contestants);
}
