//! The shared connections: a pool of a few multiplexed ones to each server.

mod address;
mod answer;
mod batch_queue;
mod credentials;
mod error;
mod link;
mod placement;
mod pool;
mod pooled_connection;
mod round_trip;
mod sentinel;
mod server;
mod target;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;

pub(super) use self::{
    address::Address,
    answer::no_answer_in_time,
    batch_queue::Waiting,
    error::{lacks_permission, reason},
    placement::{Placement, PlacementProbe, is_cross_slot},
    pool::{Pool, PoolSettings, Probe},
    pooled_connection::PooledConnection,
    target::Resolved,
};
pub use self::{credentials::RedisCredentials, error::ConnectError};
#[cfg(feature = "cluster")]
pub(super) use self::{
    server::Server,
    target::{Target, no_answer_within},
};
