//! Requests in the order of their times. A log is written as answers end, and so is a little out of
//! order.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    time::Duration,
};

use ratelimit::ClientId;

/// The most requests that are held. If more come within the window, it is shorter.
pub(crate) const MOST: usize = 250_000;

/// A request to decide about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// In microseconds since 1970.
    pub(crate) at: u64,
    pub(crate) client: ClientId,
    /// Empty where the log does not say one that a policy has.
    pub(crate) tier: &'static str,
}

/// Puts requests in order within a window of time and of 250,000 requests.
pub(crate) struct InOrder {
    /// In microseconds of the log's time.
    window: u64,
    held: BinaryHeap<Reverse<Held>>,
    /// The latest time seen.
    newest: u64,
    /// The time of the request that was taken last.
    present: u64,
    /// How many have come.
    count: u64,
    /// How many came after later ones had been taken, and by how much at the most. They have the
    /// time that is present then.
    pub(crate) late: u64,
    pub(crate) latest_by: u64,
}

#[derive(PartialEq, Eq)]
struct Held {
    request: Request,
    /// Requests of one instant stay in the order of the log.
    number: u64,
}

impl InOrder {
    /// Creates a window of this length.
    pub(crate) fn within(window: Duration) -> Self {
        Self {
            window: u64::try_from(window.as_micros()).unwrap_or(u64::MAX),
            held: BinaryHeap::new(),
            newest: 0,
            present: 0,
            count: 0,
            late: 0,
            latest_by: 0,
        }
    }

    /// Adds a request. Returns by how many microseconds it is too late to be put in order, if it is.
    pub(crate) fn push(&mut self, mut request: Request) -> Option<u64> {
        let by = self.present.checked_sub(request.at).filter(|by| *by > 0);
        if let Some(by) = by {
            self.late += 1;
            self.latest_by = self.latest_by.max(by);
            request.at = self.present;
        }
        self.newest = self.newest.max(request.at);
        self.count += 1;
        let number = self.count;
        self.held.push(Reverse(Held { request, number }));
        by
    }

    /// The next request, if none that is before it is waited for any more.
    pub(crate) fn pop(&mut self) -> Option<Request> {
        let Reverse(first) = self.held.peek()?;
        let has_waited = first.request.at.saturating_add(self.window) <= self.newest;
        if has_waited || self.held.len() > MOST {
            self.take()
        } else {
            None
        }
    }

    /// The next request, where no more will come.
    pub(crate) fn take(&mut self) -> Option<Request> {
        let Reverse(Held { request, .. }) = self.held.pop()?;
        self.present = request.at;
        Some(request)
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |held: &Self| (held.request.at, held.number);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn request(second: u64) -> Request {
        Request {
            at: second * SECOND,
            client: ClientId::UNKNOWN_IP,
            tier: "",
        }
    }

    /// The seconds of those that can be taken.
    fn ready(order: &mut InOrder) -> Vec<u64> {
        let taken = std::iter::from_fn(|| order.pop());
        taken.map(|request| request.at / SECOND).collect()
    }

    #[test]
    fn requests_come_out_in_order_within_two_minutes() {
        let mut order = InOrder::within(Duration::from_secs(120));
        for second in [1_000, 1_119, 1_001, 1_119] {
            assert_eq!(order.push(request(second)), None);
            assert!(ready(&mut order).is_empty());
        }
        order.push(request(1_121));
        assert_eq!(ready(&mut order), [1_000, 1_001]);
        assert_eq!((order.late, order.latest_by), (0, 0));

        // What comes after all that is replayed at the time it is then.
        assert_eq!(order.push(request(990)), Some(11 * SECOND));
        assert_eq!(ready(&mut order), [1_001]);
        assert_eq!((order.late, order.latest_by), (1, 11 * SECOND));

        let rest = std::iter::from_fn(|| order.take());
        let rest: Vec<u64> = rest.map(|request| request.at / SECOND).collect();
        assert_eq!(rest, [1_119, 1_119, 1_121]);
    }

    #[test]
    fn no_more_are_held_than_may_be() {
        let mut order = InOrder::within(Duration::from_secs(120));
        for _ in 0..MOST {
            order.push(request(5));
        }
        assert_eq!(order.pop(), None);
        order.push(request(4));
        assert_eq!(ready(&mut order), [4]);
        assert_eq!(order.held.len(), MOST);
    }
}
