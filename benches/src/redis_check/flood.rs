//! A flood of requests of a client who has used up its limit in Redis, and what it costs Redis.

use std::{error::Error, net::Ipv4Addr, sync::Arc};

use axum::http::{Request, request::Parts};
use ratelimit::{Algorithm, Caller, Policy, Quota, RateLimiter};
use ratelimit_tests::{RedisServer, policy};
use tokio::runtime::Runtime;

use super::{Made, PER, arena::Arena, load::Load, ours, raw};
use crate::compare::{Table, Unit};

/// How many of the flood are counted.
const REQUESTS: u32 = 1_000_000;

pub(super) fn run(table: &mut Table, runtime: &Runtime) -> Result<(), Box<dyn Error>> {
    let server = RedisServer::start();
    let arena = Arena {
        runtime,
        server: &server,
        load: Load::InFlight(1),
        clients: 1,
        limit: 1,
    };
    let contestants = vec![
        raw::evalsha(arena, Algorithm::TokenBucket)?,
        turned_away(arena)?,
    ];
    let what = "a flood turned away by a limit in Redis";
    table.compare(what, arena.load.unit(), contestants);

    let commands = runtime.block_on(commands(arena))?;
    let what = format!("what {REQUESTS} requests of a flood ask Redis that are turned away");
    table.state(&what, Unit::Commands, &[(NAME.to_owned(), commands)]);
    Ok(())
}

const NAME: &str = "RateLimiter on RedisStore";

fn turned_away(arena: Arena<'_>) -> Made<'_> {
    let connect = async || Flooded::new(arena).await.map(Arc::new);
    arena.contestant(NAME, connect, |flooded, _| {
        let flooded = Arc::clone(flooded);
        async move { !flooded.check().await }
    })
}

/// How often Redis is asked.
async fn commands(arena: Arena<'_>) -> Result<f64, Box<dyn Error>> {
    let flooded = Flooded::new(arena).await?;
    let before = arena.server.calls("evalsha").await;
    for _ in 0..REQUESTS {
        if flooded.check().await {
            return Err("a client was admitted that has used up its limit".into());
        }
    }
    let asked = arena.server.calls("evalsha").await - before;
    Ok(f64::from(u32::try_from(asked)?))
}

/// A limiter, and a client who has used up its limit.
struct Flooded {
    limiter: RateLimiter,
    policy: &'static Policy,
    parts: Parts,
}

impl Flooded {
    async fn new(arena: Arena<'_>) -> Result<Self, Box<dyn Error>> {
        let store = ours::builder(arena).connect().await?;
        let (parts, ()) = Request::new(()).into_parts();
        let flooded = Self {
            limiter: RateLimiter::builder().store(store).build()?,
            policy: policy(
                "flood",
                Algorithm::TokenBucket,
                Quota::new(arena.limit, PER),
            ),
            parts,
        };
        while flooded.check().await {}
        Ok(flooded)
    }

    async fn check(&self) -> bool {
        let caller = Caller::new(&self.parts).with_peer(Some(Ipv4Addr::LOCALHOST.into()));
        self.limiter.check(self.policy, caller).await.is_allowed()
    }
}
