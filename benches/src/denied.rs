//! A flood of requests of a client who has used up its limit, on one core.

use ratelimit_benches::{
    compare::{Contestant, Table, Unit},
    limiters::{
        Limiter, Terms, annotated_handler, axum_gcra, bare_handler, governed_handler, governor,
        rate_limiter, token_bucket, trypema,
    },
};

const CHECKS: usize = 400_000;
const REQUESTS: usize = 50_000;

pub(crate) fn run(table: &mut Table) {
    let terms = Terms::used_up(1);
    let limiters = [governor, axum_gcra, trypema, token_bucket, rate_limiter]
        .map(|make| make(&terms).knowing(1));
    let contestants = limiters
        .iter()
        .map(|limiter| contestant(limiter, CHECKS, 0))
        .collect();
    table.compare(
        "a flood turned away in memory",
        Unit::PerSecond,
        contestants,
    );

    let bare = bare_handler();
    let limited = [annotated_handler(), governed_handler()].map(|handler| handler.knowing(1));
    let mut contestants = vec![contestant(&bare, REQUESTS, REQUESTS)];
    contestants.extend(
        limited
            .iter()
            .map(|handler| contestant(handler, REQUESTS, 0)),
    );
    let what = "a flood answered with 429 by a handler in process, which the bare one admits";
    table.compare(what, Unit::PerSecond, contestants);
}

/// All of the requests are the same client's.
fn contestant(limiter: &Limiter, requests: usize, admitted: usize) -> Contestant<'_> {
    let flood = vec![0; requests];
    Contestant::new(&limiter.name, move || {
        1e9 / limiter.time(&flood, 1, admitted)
    })
}
