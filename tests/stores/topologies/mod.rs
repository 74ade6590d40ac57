//! The ways in which a Redis can be set up, and that a store works with each.

mod acl;
mod cluster;
mod everything;
mod sentinel;
mod tls;
mod url;
