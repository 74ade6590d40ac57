//! What is known of each client, in bounded memory.

use std::collections::HashMap;

use ratelimit::ClientId;

/// How many clients are known at the most. Up to here all counts are exact.
pub(crate) const MOST: usize = 200_000;

/// All clients, or those with the most requests.
pub(crate) struct Clients {
    most: usize,
    known: HashMap<ClientId, Client>,
    /// How many requests of a client may be missing here, since it was forgotten and came again.
    pub(crate) missing: u64,
}

/// What a client did.
#[derive(Default)]
pub(crate) struct Client {
    requests: u64,
    /// One for each policy, or empty: most clients are never limited.
    limited: Box<[Limited]>,
}

/// How often a client was limited, and when: in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limited {
    pub(crate) requests: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Clients {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            known: HashMap::new(),
            missing: 0,
        }
    }

    /// A client that has sent one more request.
    pub(crate) fn seen(&mut self, client: ClientId) -> &mut Client {
        if self.known.len() >= self.most && !self.known.contains_key(&client) {
            self.forget_half();
        }
        let known = self.known.entry(client).or_default();
        known.requests += 1;
        known
    }

    /// How many there are, or at least are where some have been forgotten.
    pub(crate) fn count(&self) -> usize {
        if self.missing > 0 {
            self.most
        } else {
            self.known.len()
        }
    }

    /// Returns the client, if there is only one.
    pub(crate) fn only(&self) -> Option<ClientId> {
        let mut known = self.known.keys();
        let first = known.next().copied();
        first.filter(|_| known.next().is_none() && self.missing == 0)
    }

    /// Those that one of the policies has limited, with all of their requests; the most limited first.
    pub(crate) fn limited_by(&self, policy: usize) -> Vec<(ClientId, u64, Limited)> {
        let mut limited: Vec<_> = self
            .known
            .iter()
            .filter_map(|(id, client)| Some((*id, client.requests, client.limited_by(policy)?)))
            .collect();
        limited.sort_by_cached_key(|(id, _, limited)| {
            (u64::MAX - limited.requests, limited.first, id.to_string())
        });
        limited
    }

    /// Makes room by forgetting those with the fewest requests, half of all at the least.
    fn forget_half(&mut self) {
        let mut counts: Vec<u64> = self.known.values().map(|known| known.requests).collect();
        let middle = counts.len() / 2;
        let (_, median, _) = counts.select_nth_unstable(middle);
        self.known.retain(|_, known| known.requests > *median);
        self.missing += *median;
    }
}

impl Client {
    /// One of so many policies would have turned its request away.
    pub(crate) fn was_limited(&mut self, policy: usize, of: usize, at: u64) {
        if self.limited.is_empty() {
            self.limited = vec![Limited::default(); of].into();
        }
        let limited = &mut self.limited[policy];
        if limited.requests == 0 {
            limited.first = at;
        }
        limited.requests += 1;
        limited.last = at;
    }

    fn limited_by(&self, policy: usize) -> Option<Limited> {
        let limited = self.limited.get(policy).copied();
        limited.filter(|limited| limited.requests > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ClientId {
        ClientId::ip([203, 0, 113, n].into())
    }

    #[test]
    fn those_that_were_limited_most_come_first() {
        let mut clients = Clients::new(10);
        clients.seen(id(1));
        for (n, at) in [(2, 5), (3, 6), (3, 7)] {
            clients.seen(id(n)).was_limited(1, 2, at);
        }
        assert!(clients.limited_by(0).is_empty());
        let limited = clients.limited_by(1);
        let limited: Vec<_> = limited
            .iter()
            .map(|(id, _, limited)| (*id, *limited))
            .collect();
        let by = |requests, first, last| Limited {
            requests,
            first,
            last,
        };
        assert_eq!(limited, [(id(3), by(2, 6, 7)), (id(2), by(1, 5, 5))]);
    }

    #[test]
    fn when_there_are_too_many_the_busiest_stay() {
        let mut clients = Clients::new(10);
        for _ in 0..100 {
            clients.seen(id(0));
        }
        for n in 1..=200 {
            clients.seen(id(n));
            clients.seen(id(0));
            assert!(clients.known.len() <= 10);
        }
        assert_eq!(clients.seen(id(0)).requests, 301);
        assert_eq!(clients.count(), 10);
        assert!(clients.missing > 0);
        for n in 1..=200 {
            assert!(clients.seen(id(n)).requests <= 2);
        }
    }
}
