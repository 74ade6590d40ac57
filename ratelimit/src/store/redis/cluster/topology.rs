//! Which shard has which hash slots, and what becomes of the shards when that changes.

use std::{cmp::Reverse, collections::HashMap, ptr, sync::Arc};

use super::{hash_slot::HashSlot, node_address::NodeAddress, slot_map::SlotMap};

/// The shards of a cluster, by the hash slots that they have. A new state is a new value.
///
/// A shard is the master of some slots and what is known of its health, which stays when a replica
/// takes the master's place.
pub(super) struct Topology<S> {
    shards: Vec<(NodeAddress, Arc<S>)>,
    /// By slot, an index into `shards`.
    owners: Vec<Option<u16>>,
}

/// Makes shards, and changes those that there are.
pub(super) trait Shards<S> {
    /// Returns a new shard with this master.
    fn create(&self, master: &NodeAddress) -> Arc<S>;

    /// Returns the same shard with another master, to which its slots have gone.
    fn replace_master(&self, shard: &S, master: &NodeAddress) -> Arc<S>;

    /// Returns whether a shard was used since the last update for slots that it is about to get. If so,
    /// it stays though it has none.
    fn keep(&self, shard: &S) -> bool;
}

impl<S> Topology<S> {
    /// Returns a topology in which no slot has a shard.
    pub(super) fn new() -> Self {
        Self {
            shards: Vec::new(),
            owners: vec![None; usize::from(HashSlot::COUNT)],
        }
    }

    /// Returns the shard that has this slot.
    pub(super) fn owner(&self, slot: HashSlot) -> Option<&Arc<S>> {
        let index = self.owners[slot.index()]?;
        self.shards.get(usize::from(index)).map(|(_, shard)| shard)
    }

    /// Returns the shard with this master.
    pub(super) fn at(&self, master: &NodeAddress) -> Option<&Arc<S>> {
        let mut shards = self.shards.iter();
        let found = shards.find(|(address, _)| address == master);
        found.map(|(_, shard)| shard)
    }

    /// Returns all shards.
    pub(super) fn shards(&self) -> impl ExactSizeIterator<Item = &Arc<S>> {
        self.shards.iter().map(|(_, shard)| shard)
    }

    /// Returns whether each slot has a shard.
    pub(super) fn is_complete(&self) -> bool {
        self.owners.iter().all(Option::is_some)
    }

    /// Returns the slots of a shard.
    pub(super) fn slots_of(&self, shard: &S) -> impl Iterator<Item = HashSlot> {
        let mut shards = self.shards.iter();
        let index = shards.position(|(_, other)| ptr::eq(Arc::as_ptr(other), shard));
        let index = index.and_then(|index| u16::try_from(index).ok());
        (0..)
            .zip(&self.owners)
            .filter(move |(_, owner)| owner.is_some() && **owner == index)
            .filter_map(|(number, _)| HashSlot::new(number))
    }

    /// Returns a topology in which one slot has gone to the shard with this master, which may be a
    /// new one.
    pub(super) fn with_owner(
        &self,
        slot: HashSlot,
        master: &NodeAddress,
        make: &impl Shards<S>,
    ) -> Self {
        let mut next = self.with_shard(master, make);
        let index = next
            .shards
            .iter()
            .position(|(address, _)| address == master);
        next.owners[slot.index()] = index.and_then(|index| u16::try_from(index).ok());
        next
    }

    /// Returns a topology with a shard that has this master, and may have no slots.
    pub(super) fn with_shard(&self, master: &NodeAddress, make: &impl Shards<S>) -> Self {
        let mut shards = self.shards.clone();
        if self.at(master).is_none() {
            shards.push((master.clone(), make.create(master)));
        }
        Self {
            shards,
            owners: self.owners.clone(),
        }
    }

    /// Returns the topology that a server has described.
    ///
    /// A shard stays if its master does. A shard whose master is gone gets the new master that has
    /// most of its slots, if there is one.
    pub(super) fn updated(&self, map: &SlotMap, make: &impl Shards<S>) -> Self {
        let is_master: HashMap<&NodeAddress, u16> = (0..)
            .zip(map.masters())
            .map(|(index, master)| (master, index))
            .collect();
        let mut found: Vec<Option<Arc<S>>> = vec![None; map.masters().len()];
        let mut is_used = vec![false; self.shards.len()];
        let mut is_kept = Vec::with_capacity(self.shards.len());
        for (index, (address, shard)) in self.shards.iter().enumerate() {
            // Asked of each, so that what was before the last update does not count.
            is_kept.push(make.keep(shard));
            if let Some(&master) = is_master.get(address) {
                found[usize::from(master)] = Some(shard.clone());
                is_used[index] = true;
            }
        }
        for (old, new) in self.handovers(map) {
            if found[new].is_none() && !is_used[old] {
                let shard = &self.shards[old].1;
                found[new] = Some(make.replace_master(shard, &map.masters()[new]));
                is_used[old] = true;
            }
        }
        let mut shards: Vec<_> = map
            .masters()
            .iter()
            .zip(found)
            .map(|(master, shard)| (master.clone(), shard.unwrap_or_else(|| make.create(master))))
            .collect();
        let old = self.shards.iter().zip(is_used).zip(is_kept);
        for ((old, is_used), is_kept) in old {
            if !is_used && is_kept && self.slots_of(&old.1).next().is_none() {
                shards.push(old.clone());
            }
        }
        Self {
            shards,
            owners: map.owners().to_vec(),
        }
    }

    /// Returns which shard's slots have gone to which master, as indices, most slots first.
    fn handovers(&self, map: &SlotMap) -> Vec<(usize, usize)> {
        let mut counts = HashMap::new();
        for owners in self.owners.iter().zip(map.owners()) {
            if let (&Some(old), &Some(new)) = owners {
                *counts
                    .entry((usize::from(old), usize::from(new)))
                    .or_insert(0) += 1;
            }
        }
        let mut handovers: Vec<((usize, usize), u32)> = counts.into_iter().collect();
        handovers.sort_unstable_by_key(|&(pair, count)| (Reverse(count), pair));
        handovers.into_iter().map(|(pair, _)| pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use redis::{IntoConnectionInfo, Value};

    use super::*;

    fn address(port: u16) -> NodeAddress {
        let url = format!("redis://10.0.0.1:{port}");
        let info = url.into_connection_info().expect("a URL");
        NodeAddress::of(info.addr()).expect("not a socket")
    }

    fn slot(number: u16) -> HashSlot {
        HashSlot::new(number).expect("a slot")
    }

    /// A map with these ranges, each with its master's port.
    fn map(ranges: &[(u16, u16, u16)]) -> SlotMap {
        let int = |number: u16| Value::Int(number.into());
        let ranges = ranges.iter().map(|&(first, last, port)| {
            let host = Value::BulkString("10.0.0.1".into());
            let master = Value::Array(vec![host, int(port)]);
            Value::Array(vec![int(first), int(last), master])
        });
        SlotMap::read(Value::Array(ranges.collect()), &address(1)).expect("a map")
    }

    /// A shard that records the ports of its masters.
    struct Recorded {
        ports: Vec<String>,
        is_kept: AtomicBool,
    }

    impl Recorded {
        fn new(mut ports: Vec<String>, master: &NodeAddress) -> Arc<Self> {
            ports.push(master.to_string().replace("10.0.0.1:", ""));
            Arc::new(Self {
                ports,
                is_kept: AtomicBool::new(false),
            })
        }
    }

    struct Recorder;

    impl Shards<Recorded> for Recorder {
        fn create(&self, master: &NodeAddress) -> Arc<Recorded> {
            Recorded::new(Vec::new(), master)
        }

        fn replace_master(&self, shard: &Recorded, master: &NodeAddress) -> Arc<Recorded> {
            Recorded::new(shard.ports.clone(), master)
        }

        fn keep(&self, shard: &Recorded) -> bool {
            shard.is_kept.swap(false, Ordering::Relaxed)
        }
    }

    fn topology(ranges: &[(u16, u16, u16)]) -> Topology<Recorded> {
        Topology::new().updated(&map(ranges), &Recorder)
    }

    /// The ports that the shard of a slot had, the present one last.
    fn ports(topology: &Topology<Recorded>, number: u16) -> String {
        let shard = topology.owner(slot(number));
        shard.map_or_else(String::new, |shard| shard.ports.join(" "))
    }

    const THREE: [(u16, u16, u16); 3] = [(0, 5, 1), (6, 10, 2), (11, 16_383, 3)];

    #[test]
    fn each_slot_has_the_shard_of_its_master() {
        let three = topology(&THREE);
        assert_eq!(three.shards().len(), 3);
        assert!(three.is_complete());
        assert_eq!(ports(&three, 5), "1");
        assert_eq!(ports(&three, 16_383), "3");
        let of_two: Vec<usize> = three
            .slots_of(three.owner(slot(7)).expect("a shard"))
            .map(HashSlot::index)
            .collect();
        assert_eq!(of_two, [6, 7, 8, 9, 10]);
        let part = topology(&THREE[1..]);
        assert!(!part.is_complete());
        assert_eq!(ports(&part, 0), "");
    }

    #[test]
    fn a_shard_stays_when_its_slots_change_and_when_a_replica_takes_over() {
        let three = topology(&THREE);
        let moved = three.updated(&map(&[(0, 8, 1), (9, 10, 2), (11, 16_383, 3)]), &Recorder);
        assert_eq!(ports(&moved, 8), "1");
        let taken_over = moved.updated(&map(&[(0, 8, 1), (9, 10, 4), (11, 16_383, 3)]), &Recorder);
        assert_eq!(ports(&taken_over, 9), "2 4");
        assert_eq!(ports(&taken_over, 11), "3");
        assert_eq!(taken_over.shards().len(), 3);
    }

    #[test]
    fn of_two_new_masters_the_one_with_most_slots_takes_the_place() {
        let three = topology(&THREE);
        let split = map(&[(0, 1, 4), (2, 5, 5), (6, 10, 2), (11, 16_383, 3)]);
        let next = three.updated(&split, &Recorder);
        assert_eq!(ports(&next, 0), "4");
        assert_eq!(ports(&next, 2), "1 5");
    }

    #[test]
    fn a_shard_whose_slots_went_to_others_is_dropped() {
        let three = topology(&THREE);
        let gone = Arc::downgrade(three.owner(slot(0)).expect("a shard"));
        let next = three.updated(&map(&[(0, 10, 2), (11, 16_383, 3)]), &Recorder);
        drop(three);
        assert_eq!(ports(&next, 0), "2");
        assert!(gone.upgrade().is_none());
    }

    #[test]
    fn one_slot_can_go_to_a_new_master() {
        let three = topology(&THREE);
        let moved = three.with_owner(slot(3), &address(4), &Recorder);
        assert_eq!(ports(&moved, 3), "4");
        assert_eq!(ports(&moved, 4), "1");
        let again = moved.with_owner(slot(4), &address(4), &Recorder);
        assert_eq!(ports(&again, 4), "4");
        assert_eq!(again.shards().len(), 4);
        let described = map(&[(0, 2, 1), (3, 5, 4), (6, 10, 2), (11, 16_383, 3)]);
        assert_eq!(ports(&again.updated(&described, &Recorder), 3), "4");
    }

    #[test]
    fn a_shard_without_slots_stays_while_it_is_used() {
        let with_guest = topology(&THREE).with_shard(&address(4), &Recorder);
        let guest = with_guest.at(&address(4)).expect("it was added").clone();
        guest.is_kept.store(true, Ordering::Relaxed);
        let next = with_guest.updated(&map(&THREE), &Recorder);
        assert!(next.at(&address(4)).is_some());
        let next = next.updated(&map(&THREE), &Recorder);
        assert!(next.at(&address(4)).is_none());
    }
}
