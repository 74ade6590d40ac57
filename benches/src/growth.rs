//! How the time of a check grows with the number of clients, as rows and as a picture.

use std::{fs, io, path::Path};

use ratelimit_benches::{
    clients,
    compare::{Contestant, Table, Unit},
    limiters::{Terms, governor, rate_limiter, token_bucket},
};

use crate::chart::{Chart, Line};

const CHECKS: usize = 500_000;

pub(crate) fn run(table: &mut Table) -> io::Result<()> {
    let makes = [governor, token_bucket, rate_limiter];
    let mut lines = makes.map(|make| Line::new(make(&Terms::plenty(1)).name));
    for clients in (2..=7).map(|power| 10_u32.pow(power)) {
        let terms = Terms::plenty(clients);
        let sequence = clients::uniform(clients, CHECKS);
        let limiters = makes.map(|make| make(&terms).knowing(clients));
        let contestants = limiters
            .iter()
            .map(|limiter| Contestant::new(&limiter.name, || limiter.time(&sequence, 1, CHECKS)))
            .collect();
        let what = format!("growth: check in memory, {clients} known clients equally often");
        let medians = table.compare(&what, Unit::Nanoseconds, contestants);
        for (line, median) in lines.iter_mut().zip(medians) {
            line.points.push((f64::from(clients), median));
        }
    }
    let chart = Chart {
        title: "A check of a known client in memory, one thread",
        x: "clients, asked about equally often",
        y: "nanoseconds for each check",
        lines: &lines,
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("growth.svg");
    fs::write(file, chart.to_svg())
}
