//! Which server has which hash slots, as a server says in its answer to `CLUSTER SLOTS`.

use std::collections::HashMap;

use redis::{Value, from_redis_value};

use super::{hash_slot::HashSlot, node_address::NodeAddress};

/// The masters of a cluster and their hash slots.
#[derive(Debug)]
pub(super) struct SlotMap {
    masters: Vec<NodeAddress>,
    /// By slot, an index into `masters`.
    owners: Vec<Option<u16>>,
}

impl SlotMap {
    /// Reads the answer of the server at `asked`. Returns `None` if it is not an answer to this
    /// command, or if no slot has a server.
    ///
    /// See [`CLUSTER SLOTS`](https://redis.io/docs/latest/commands/cluster-slots/).
    pub(super) fn read(answer: Value, asked: &NodeAddress) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        let mut map = Self {
            masters: Vec::new(),
            owners: vec![None; usize::from(HashSlot::COUNT)],
        };
        let mut indices = HashMap::new();
        for range in ranges {
            let (slots, master) = read_range(range)?;
            let Some(master) = read_master(master, asked) else {
                continue;
            };
            let next = u16::try_from(indices.len()).ok()?;
            let index = *indices.entry(master.clone()).or_insert(next);
            if index == next {
                map.masters.push(master);
            }
            map.owners[slots].fill(Some(index));
        }
        (!map.masters.is_empty()).then_some(map)
    }

    pub(super) fn masters(&self) -> &[NodeAddress] {
        &self.masters
    }

    /// By slot, an index into the masters.
    pub(super) fn owners(&self) -> &[Option<u16>] {
        &self.owners
    }
}

/// Reads the first slot, the last slot, and the master. The replicas follow, which take no writes.
fn read_range(range: Value) -> Option<(std::ops::RangeInclusive<usize>, Value)> {
    let Value::Array(range) = range else {
        return None;
    };
    let mut range = range.into_iter();
    let mut slot = || match range.next() {
        Some(Value::Int(number)) => HashSlot::new(u16::try_from(number).ok()?),
        _ => None,
    };
    let (first, last) = (slot()?, slot()?);
    let master = range.next()?;
    (first <= last).then(|| (first.index()..=last.index(), master))
}

/// Reads a server's host and port. Its id follows, and, since version 7, its other names.
fn read_master(master: Value, asked: &NodeAddress) -> Option<NodeAddress> {
    let Value::Array(master) = master else {
        return None;
    };
    let mut master = master.into_iter();
    let host: Option<String> = from_redis_value(master.next()?).ok()?;
    let host = host.unwrap_or_default();
    let port = from_redis_value(master.next()?).ok()?;
    NodeAddress::named(&host, port, asked).or_else(|| {
        // A server that is to be named by a host name, and has none, has an IP address all the same.
        let names: HashMap<String, String> = from_redis_value(master.nth(1)?).ok()?;
        NodeAddress::named(names.get("ip")?, port, asked)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redis::{IntoConnectionInfo, parse_redis_value};

    use super::*;

    fn address(host_and_port: &str) -> NodeAddress {
        let url = format!("redis://{host_and_port}");
        let info = url.into_connection_info().expect("a URL");
        NodeAddress::of(info.addr()).expect("not a socket")
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn master(host: Value, port: i64) -> Value {
        let id = text("09dbe9720cda62f7865eabc5fd8857c5d2678366");
        Value::Array(vec![host, Value::Int(port), id, Value::Array(Vec::new())])
    }

    fn range(first: i64, last: i64, master: Value) -> Value {
        Value::Array(vec![Value::Int(first), Value::Int(last), master])
    }

    fn read(ranges: Vec<Value>) -> Option<SlotMap> {
        SlotMap::read(Value::Array(ranges), &address("seed:7000"))
    }

    fn owner(map: &SlotMap, slot: usize) -> Option<String> {
        let index = map.owners()[slot]?;
        Some(map.masters()[usize::from(index)].to_string())
    }

    #[test]
    fn an_answer_of_a_server_is_read() {
        // As a server of version 7 sends it, with a replica and with an announced host name.
        let answer = "*2\r\n\
            *4\r\n:0\r\n:5460\r\n\
            *4\r\n$9\r\n127.0.0.1\r\n:30001\r\n$3\r\nid1\r\n*2\r\n$8\r\nhostname\r\n$6\r\nhost-1\r\n\
            *4\r\n$9\r\n127.0.0.1\r\n:30004\r\n$3\r\nid4\r\n*0\r\n\
            *3\r\n:5461\r\n:10922\r\n\
            *4\r\n$6\r\nhost-2\r\n:30002\r\n$3\r\nid2\r\n*2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n";
        let answer = parse_redis_value(answer.as_bytes()).expect("a value");
        let map = SlotMap::read(answer, &address("seed:7000")).expect("a map");
        assert_eq!(owner(&map, 0).as_deref(), Some("127.0.0.1:30001"));
        assert_eq!(owner(&map, 5_460).as_deref(), Some("127.0.0.1:30001"));
        assert_eq!(owner(&map, 5_461).as_deref(), Some("host-2:30002"));
        assert_eq!(owner(&map, 10_923), None);
        assert_eq!(map.masters().len(), 2);
    }

    #[test]
    fn a_host_that_the_server_does_not_know_is_the_one_that_was_asked() {
        for host in [text(""), Value::Nil] {
            let map = read(vec![range(0, 16_383, master(host, 7_001))]).expect("a map");
            assert_eq!(owner(&map, 16_383).as_deref(), Some("seed:7001"));
        }
    }

    #[test]
    fn a_server_without_its_host_name_is_found_by_its_ip_address() {
        let names = |names| {
            let mut master = vec![text("?"), Value::Int(7_001), text("id")];
            master.push(names);
            read(vec![range(0, 1, Value::Array(master))])
        };
        let (name, ip) = (text("ip"), text("10.0.0.1"));
        let map = names(Value::Array(vec![name.clone(), ip.clone()])).expect("a map");
        assert_eq!(owner(&map, 1).as_deref(), Some("10.0.0.1:7001"));
        let map = names(Value::Map(vec![(name, ip)])).expect("a map");
        assert_eq!(owner(&map, 1).as_deref(), Some("10.0.0.1:7001"));
        assert!(names(Value::Array(Vec::new())).is_none());
    }

    #[test]
    fn several_ranges_of_one_server_are_one_server() {
        let one = || master(text("::1"), 7_001);
        let other = || master(text("::1"), 7_002);
        let ranges = vec![range(0, 1, one()), range(2, 2, other()), range(3, 9, one())];
        let map = read(ranges).expect("a map");
        assert_eq!(map.masters().len(), 2);
        assert_eq!(map.owners()[..4], [Some(0), Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn what_is_no_map_is_not_read() {
        let master = || master(text("127.0.0.1"), 7_001);
        assert!(read(Vec::new()).is_none(), "no slot has a server");
        assert!(read(vec![range(1, 0, master())]).is_none());
        assert!(read(vec![range(0, 16_384, master())]).is_none());
        assert!(read(vec![range(-1, 1, master())]).is_none());
        assert!(read(vec![Value::Int(1)]).is_none());
        assert!(SlotMap::read(Value::Okay, &address("seed:7000")).is_none());
        // Only this server is not known.
        let unknown = Value::Array(vec![text("127.0.0.1"), Value::Int(0)]);
        let map = read(vec![range(0, 1, unknown), range(2, 3, master())]);
        assert_eq!(map.expect("a map").owners()[..3], [None, None, Some(0)]);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            (-1..20_000_i64).prop_map(Value::Int),
            "[?a:.]{0,3}".prop_map(|text| Value::BulkString(text.into())),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop::collection::vec(inner, 0..5).prop_map(Value::Array)
        })
    }

    proptest! {
        #[test]
        fn no_answer_is_a_panic(answer in any_value()) {
            if let Some(map) = SlotMap::read(answer, &address("seed:7000")) {
                let count = map.masters().len();
                for owner in map.owners().iter().flatten() {
                    prop_assert!(usize::from(*owner) < count);
                }
            }
        }
    }
}
