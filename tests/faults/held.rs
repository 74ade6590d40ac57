//! What the process holds on to, so that what is not given back is seen.

use std::fs;

use tokio::runtime::Handle;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) tasks: usize,
    pub(crate) descriptors: usize,
    pub(crate) kilobytes: usize,
}

impl Held {
    pub(crate) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            kilobytes: resident.and_then(|size| size.parse().ok()).unwrap_or(0),
        }
    }

    /// Whether it is about as much as before and so many connections: one or two more may just be
    /// coming or going, and what the store said of the clients since takes room, up to a bound.
    pub(crate) fn is_no_more_than(self, before: Self, connections: usize) -> bool {
        // One task reads from a connection, and one ends with its runtime.
        self.tasks <= before.tasks + 2 * connections + 4
            && self.descriptors <= before.descriptors + connections + 4
            && self.kilobytes <= before.kilobytes + 32 * 1024
    }
}
