//! The ways in which a Redis can be set up, and that a store works with each.

mod acl;
mod cluster;
mod cluster_outage;
mod connections;
mod credentials;
mod distance;
mod everything;
mod runtimes;
mod sentinel;
mod tls;
mod twemproxy;
mod url;
