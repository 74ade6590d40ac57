//! Floods of requests that are rejected or that should cost nothing: what a minute of each costs in
//! Redis commands, lines and bytes in the log, and memory.

mod cost;
mod log;
mod scene;
mod upload;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use axum::{Extension, Router};
use ratelimit::RateLimiter;
use ratelimit_tests::RedisServer;

use self::{
    cost::{Cost, Meter},
    scene::Scene,
};

/// How many requests of a flood are in flight at once.
const IN_FLIGHT: usize = 16;

/// The state that a flood finds.
struct Target {
    app: Router,
    server: RedisServer,
}

/// Runs each flood for this time, and returns a table of what they cost.
pub(crate) fn run(time: Duration) -> Result<String, Box<dyn Error>> {
    let log = log::install()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let mut rows = Vec::new();
    for scene in scene::ALL {
        eprintln!("{}", scene.name);
        rows.push((scene.name, runtime.block_on(flood(scene, &log, time))?));
    }
    eprintln!("{}", upload::NAME);
    rows.push((upload::NAME, runtime.block_on(upload::flood(&log, time))?));
    Ok(cost::table(time, &rows))
}

async fn flood(scene: &Scene, log: &log::Volume, time: Duration) -> Result<Cost, Box<dyn Error>> {
    let server = RedisServer::start();
    let builder = RateLimiter::builder().store(server.store().await);
    let limiter = (scene.settings)(builder).build()?;
    let app = (scene.router)().layer(Extension(limiter));
    let target = Target { app, server };
    (scene.prepare)(&target).await?;

    let meter = Meter::start(&target.server, log).await?;
    let end = Instant::now() + time;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..IN_FLIGHT {
        tasks.spawn(scene::requests(scene.request, target.app.clone(), n, end));
    }
    let mut requests = 0;
    while let Some(sent) = tasks.join_next().await {
        requests += sent?;
    }
    meter.stop(&target.server, requests).await
}
