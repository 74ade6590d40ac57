//! What the tests stand on: a real redis-server of their own, an app on a real socket, and policies
//! made at run time.

mod app;
mod guarded;
mod lag;
mod patience;
mod policies;
mod proxy;
mod random;
mod redis_cluster;
mod redis_server;
mod sentinel;
mod twemproxy;

pub use self::{
    app::{App, header},
    guarded::Guarded,
    lag::Lag,
    patience::{eventually, patient},
    policies::{ALGORITHMS, bucket, one_bucket, policy},
    proxy::{Proxy, Trouble},
    random::Random,
    redis_cluster::{Killed, RedisCluster},
    redis_server::RedisServer,
    sentinel::Sentinel,
    twemproxy::Twemproxy,
};
