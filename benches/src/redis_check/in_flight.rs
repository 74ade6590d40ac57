//! How the checks that are answered grow with those that are under way, as rows and as a picture.

use std::{error::Error, fs, path::Path};

use ratelimit::Algorithm;
use ratelimit_tests::RedisServer;
use tokio::runtime::Runtime;

use super::{CLIENTS, LIMIT, arena::Arena, load::Load, ours, raw};
use crate::{
    chart::{Chart, Line},
    compare::Table,
};

pub(super) fn run(table: &mut Table, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let mut lines = ["raw EVALSHA", "RedisStore"].map(Line::new);
    for count in (0..=9).map(|power| 1 << power) {
        let server = RedisServer::start();
        let load = Load::InFlight(count);
        let arena = Arena {
            runtime,
            server: &server,
            load,
            clients: CLIENTS,
            limit: LIMIT,
        };
        let algorithm = Algorithm::TokenBucket;
        let contestants = vec![
            raw::evalsha(arena, algorithm)?,
            ours::store(arena, algorithm)?,
        ];
        let what = format!("growth: check through Redis, {}, {load}", algorithm.name());
        let medians = table.compare(&what, load.unit(), contestants);
        for (line, median) in lines.iter_mut().zip(medians) {
            line.points.push((f64::from(count), median));
        }
    }
    let chart = Chart {
        title: "Checks through Redis, token bucket, one connection",
        x: "checks under way at once",
        y: "checks a second",
        lines: &lines,
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("in_flight.svg");
    Ok(fs::write(file, chart.to_svg())?)
}
