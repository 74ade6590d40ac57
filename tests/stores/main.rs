//! The stores: what every one of them promises, and what Redis makes of it.

mod bounded;
mod differential;
mod exactness;
mod leases;
mod persistence;
mod redis_keys;
mod retry_after;
mod storm;
mod together;
mod topologies;
