//! The other end of the connection.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, connect_info::MockConnectInfo};
use http::request::Parts;

/// Returns the address at the other end of the connection, if the app is served with it.
pub(crate) fn peer(parts: &Parts) -> Option<IpAddr> {
    let real = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let address = match real {
        Some(ConnectInfo(address)) => address,
        // Axum's substitute in tests without a socket.
        None => &parts.extensions.get::<MockConnectInfo<SocketAddr>>()?.0,
    };
    Some(address.ip())
}
