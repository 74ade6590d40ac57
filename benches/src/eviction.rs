//! The longest that a check of a new client takes where a full store must forget another.
//!
//! On a machine that others use, the longest of all is one during which it was somebody else's turn.
//! What the store itself takes so long for comes in every turn, unless it is rare: so the median of
//! the turns is stated as well.

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
    let mut longest = times.clone();
    for turn in 0..TURNS {
        let from = first_new + turn * TURN;
        for ((limiter, times), longest) in limiters.iter().zip(&mut times).zip(&mut longest) {
            let before = times.len();
            times.extend((from..from + TURN).map(|client| time_one(limiter, client)));
            longest.extend(times[before..].iter().max());
        }
    }
    for times in times.iter_mut().chain(&mut longest) {
        times.sort_unstable();
    }
    let new = TURN * TURNS;
    let mut state = |which: &str, figure: &dyn Fn(usize) -> Duration| {
        let figures: Vec<(String, f64)> = limiters
            .iter()
            .enumerate()
            .map(|(n, limiter)| (limiter.name.clone(), figure(n).as_secs_f64() * 1e9))
            .collect();
        let what = format!("{which} of {new} new clients, a store that is full with {capacity}");
        table.state(&what, Unit::Nanoseconds, &figures);
    };
    let at = |times: &[Duration], of, all| times[times.len() * of / all - 1];
    state("99.99 % of the checks", &|n| at(&times[n], 9_999, 10_000));
    let of_turns = format!("the median of the longest of each {TURN} checks");
    state(&of_turns, &|n| at(&longest[n], 1, 2));
    state("the longest check", &|n| at(&longest[n], 1, 1));
}

fn time_one(limiter: &Limiter, client: u32) -> Duration {
    let begin = Instant::now();
    limiter.check(&[client]);
    begin.elapsed()
}
