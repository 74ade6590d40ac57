//! What a server of a cluster answers in place of a command's result.
//!
//! See "Redirection and resharding" in the
//! [specification](https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::{hash_slot::HashSlot, node_address::NodeAddress};

/// An answer that says that the command was not run, and where or when it would be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirection {
    /// Another server has the slot.
    Moved {
        slot: HashSlot,
        /// `None` if the server does not know the address.
        to: Option<NodeAddress>,
    },
    /// The slot is being moved, and what is asked for is on the server that it is moved to, or not
    /// anywhere yet.
    Ask(NodeAddress),
    /// The slot is being moved, and of several keys some have been.
    TryAgain,
}

impl Redirection {
    /// Reads an error that the server at `asked` has answered.
    pub(super) fn read(error: &RedisError, asked: &NodeAddress) -> Option<Self> {
        let ErrorKind::Server(kind) = error.kind() else {
            return None;
        };
        match kind {
            ServerErrorKind::Moved => {
                let (slot, to) = read_target(error, asked)?;
                Some(Self::Moved { slot, to })
            }
            ServerErrorKind::Ask => {
                let (_, to) = read_target(error, asked)?;
                // The keys will be on a server whose address is known when all have been moved.
                Some(to.map_or(Self::TryAgain, Self::Ask))
            }
            ServerErrorKind::TryAgain => Some(Self::TryAgain),
            _ => None,
        }
    }
}

/// Reads `3999 127.0.0.1:6381`.
fn read_target(error: &RedisError, asked: &NodeAddress) -> Option<(HashSlot, Option<NodeAddress>)> {
    let mut words = error.detail()?.split_ascii_whitespace();
    let slot = HashSlot::new(words.next()?.parse().ok()?)?;
    Some((slot, NodeAddress::redirected(words.next()?, asked)))
}

#[cfg(test)]
mod tests {
    use redis::{IntoConnectionInfo, Value, parse_redis_value};

    use super::*;

    fn address(host_and_port: &str) -> NodeAddress {
        let url = format!("redis://{host_and_port}");
        let info = url.into_connection_info().expect("a URL");
        NodeAddress::of(info.addr()).expect("not a socket")
    }

    fn read(error: &str) -> Option<Redirection> {
        let answer = parse_redis_value(format!("-{error}\r\n").as_bytes());
        let Ok(Value::ServerError(error)) = answer else {
            panic!("{answer:?} is no error");
        };
        Redirection::read(&error.into(), &address("seed:7000"))
    }

    fn moved(slot: u16, to: Option<&str>) -> Option<Redirection> {
        Some(Redirection::Moved {
            slot: HashSlot::new(slot)?,
            to: to.map(address),
        })
    }

    #[test]
    fn each_answer_is_told_from_the_others() {
        assert_eq!(
            read("MOVED 3999 127.0.0.1:6381"),
            moved(3_999, Some("127.0.0.1:6381"))
        );
        assert_eq!(read("MOVED 0 ::1:6381"), moved(0, Some("[::1]:6381")));
        assert_eq!(read("MOVED 3999 :6381"), moved(3_999, Some("seed:6381")));
        assert_eq!(read("MOVED 3999 ?:6381"), moved(3_999, None));
        let ask = Redirection::Ask(address("redis-2:6381"));
        assert_eq!(read("ASK 3999 redis-2:6381"), Some(ask));
        assert_eq!(read("ASK 3999 ?:6381"), Some(Redirection::TryAgain));
        assert_eq!(
            read("TRYAGAIN Multiple keys request during rehashing of slot"),
            Some(Redirection::TryAgain)
        );
    }

    #[test]
    fn what_sends_nowhere_is_no_redirection() {
        for error in [
            "CLUSTERDOWN Hash slot not served",
            "CLUSTERDOWN The cluster is down",
            "CROSSSLOT Keys in request don't hash to the same slot",
            "ERR unknown command",
            "NOSCRIPT No matching script. Please use EVAL.",
            "MOVED",
            "MOVED 3999",
            "MOVED x 127.0.0.1:6381",
            "MOVED 16384 127.0.0.1:6381",
            "ASK 3999",
            "MOVEDX 3999 127.0.0.1:6381",
        ] {
            assert_eq!(read(error), None, "{error}");
        }
    }
}
