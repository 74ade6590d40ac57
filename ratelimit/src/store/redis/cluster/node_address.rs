//! The address of a server of a cluster, and how to connect to it.

use std::fmt;

use redis::ConnectionAddr;

use super::super::connection::Server;
use crate::foreign_text::ForeignText;

/// The host and the port of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NodeAddress {
    host: String,
    port: u16,
}

impl NodeAddress {
    /// Returns the address of a server as a server names it. A host that is empty is the one that was
    /// asked, and one that is `?` is not known.
    ///
    /// See [`CLUSTER SLOTS`](https://redis.io/docs/latest/commands/cluster-slots/).
    pub(super) fn named(host: &str, port: u16, asked: &Self) -> Option<Self> {
        let host = match host {
            "?" => return None,
            // The server listens on all of its addresses, and does not know which of them is meant.
            "" | "0.0.0.0" | "::" => &asked.host,
            host => host,
        };
        (port != 0).then(|| Self {
            host: host.to_owned(),
            port,
        })
    }

    /// Returns the address in a redirection: `127.0.0.1:6381`, `2001:db8::1:6381`, `:6381`.
    pub(super) fn redirected(text: &str, asked: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let in_brackets = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Self::named(in_brackets.unwrap_or(host), port.parse().ok()?, asked)
    }

    /// Returns the address of a URL, unless that is a socket's.
    pub(super) fn of(address: &ConnectionAddr) -> Option<Self> {
        match address {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(Self {
                    host: host.clone(),
                    port: *port,
                })
            }
            _ => None,
        }
    }

    /// Returns this server, with the encryption and the login of another one of the cluster.
    pub(super) fn like(&self, other: &Server) -> Server {
        other.at(self.host.clone(), self.port)
    }
}

/// For log lines and errors.
impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", ForeignText(&self.host), self.port)
    }
}

#[cfg(test)]
mod tests {
    use redis::IntoConnectionInfo;

    use super::*;

    fn address(url: &str) -> NodeAddress {
        let info = url.into_connection_info().expect("a URL");
        NodeAddress::of(info.addr()).expect("not a socket")
    }

    #[test]
    fn an_address_is_read_as_the_specification_says() {
        let asked = address("redis://redis-1:6379");
        let redirected = |text| NodeAddress::redirected(text, &asked);
        for (text, url) in [
            ("127.0.0.1:6381", "redis://127.0.0.1:6381"),
            ("redis-2.internal:6379", "redis://redis-2.internal:6379"),
            ("2001:db8::1:6381", "redis://[2001:db8::1]:6381"),
            ("[2001:db8::1]:6381", "redis://[2001:db8::1]:6381"),
            (":6381", "redis://redis-1:6381"),
            ("0.0.0.0:6381", "redis://redis-1:6381"),
        ] {
            assert_eq!(redirected(text), Some(address(url)), "{text}");
        }
        for none in [
            "?:6381",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            ":x",
            "",
            ":65536",
        ] {
            assert_eq!(redirected(none), None, "{none}");
        }
    }
}
