//! The longest that a check of a new client takes where a full store must forget another.

use std::time::{Duration, Instant};

use ratelimit_benches::{
    compare::{Table, Unit},
    limiters::{
        Limiter, Terms, fixed_window, governor, rate_limiter, sliding_window, token_bucket,
    },
};

/// Clients at a time: limiters take turns, so that the machine troubles all of them alike.
const TURN: u32 = 250_000;
const TURNS: u32 = 10;

pub(crate) fn run(table: &mut Table, capacity: u32) {
    let terms = Terms {
        capacity,
        ..Terms::plenty(capacity)
    };
    // More than it holds, since its shards do not fill alike.
    let first_new = capacity + capacity / 4;
    let limiters = [
        governor,
        token_bucket,
        sliding_window,
        fixed_window,
        rate_limiter,
    ]
    .map(|make| make(&terms).knowing(first_new));
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); limiters.len()];
    for turn in 0..TURNS {
        let from = first_new + turn * TURN;
        for (limiter, times) in limiters.iter().zip(&mut times) {
            times.extend((from..from + TURN).map(|client| time_one(limiter, client)));
        }
    }
    for times in &mut times {
        times.sort_unstable();
    }
    let shares = [
        ("99.99 % of the checks", 9_999, 10_000),
        ("the longest check", 1, 1),
    ];
    for (which, of, all) in shares {
        let figures: Vec<(String, f64)> = limiters
            .iter()
            .zip(&times)
            .map(|(limiter, times)| {
                let rank = times.len() * of / all - 1;
                (limiter.name.clone(), times[rank].as_secs_f64() * 1e9)
            })
            .collect();
        let new = TURN * TURNS;
        let what = format!("{which} of {new} new clients, a store that is full with {capacity}");
        table.state(&what, Unit::Nanoseconds, &figures);
    }
}

fn time_one(limiter: &Limiter, client: u32) -> Duration {
    let begin = Instant::now();
    limiter.check(&[client]);
    begin.elapsed()
}
