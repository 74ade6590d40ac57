//! Limited handlers with their limits in Redis, and the blog's app, which has its own there.
//!
//! All of them go by the API key and by a sliding window of a minute.

use std::{error::Error, path::Path};

use ratelimit_tests::RedisServer;
use tokio::runtime::Builder;

use super::{
    blog, compare,
    server::{Server, Wrk},
};
use crate::compare::Table;

const API_KEYS: u32 = 1_000;

pub(super) fn run(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let redis = RedisServer::start();
    give_out_keys(&redis)?;
    let url = redis.url();
    let mut servers = Vec::new();
    if blog::versions().is_some() {
        for (name, settings) in blog::VARIANTS {
            servers.push(blog::server(name, &url, settings));
        }
    } else {
        table.leave_out(blog::NAME, blog::HOW_TO_GET_IT);
    }
    for (variant, name) in [
        (
            "ratelimit-redis",
            "#[rate_limit] with tiers, RedisStore, all headers",
        ),
        ("axum-limit-redis", "axum-limit, without tiers and headers"),
    ] {
        servers.push(Server::of_ours(name, &[variant, &url])?);
    }
    let wrk = Wrk {
        connections: 64,
        script: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/api_keys.lua")),
    };
    let what = format!("HTTP on Redis, sliding_window, {API_KEYS} API keys");
    Ok(compare(table, &what, &servers, &wrk)?)
}

/// The tier of each is in its hash, where the blog's app and [`ratelimit`] both look.
fn give_out_keys(redis: &RedisServer) -> Result<(), Box<dyn Error>> {
    let mut keys = redis::pipe();
    for n in 0..API_KEYS {
        keys.hset(format!("api_key:key-{n}"), "tier", "pro")
            .ignore();
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = redis.connection().await;
        keys.exec_async(&mut connection).await
    })?;
    Ok(())
}
