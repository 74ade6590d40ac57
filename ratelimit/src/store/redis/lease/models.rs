//! A bucket that several requests spend from while its slices end, in many orders.

use std::time::Duration;

use shuttle::thread;

use super::{acquisition::Acquisition, slice::Taken, *};
use crate::{
    client::ClientId,
    policy::{Policy, Quota, Tier},
    sync::{
        atomic::{AtomicU64, Ordering},
        in_many_orders,
    },
};

const LIFE: u64 = 5_000;

static TIERS: [Tier; 1] = [Tier::new("default", Quota::per_hour(6_000))];
static POLICY: Policy = Policy::new("leased", Algorithm::FixedWindow, &TIERS);

/// A process, and what it has done.
struct Process {
    held: Arc<Held>,
    keeper: Keeper,
    now: AtomicU64,
    taken: AtomicU64,
    spent: AtomicU64,
    returned: AtomicU64,
    fetched: AtomicU64,
    timed_out: AtomicU64,
}

impl Process {
    fn new() -> Arc<Self> {
        let bucket = Bucket::new(&POLICY, &TIERS[0], ClientId::EVERYBODY).expect("limited");
        let held = Arc::new(Held::new(bucket, LIFE, 0));
        held.slice().heard(&decision(0));
        Arc::new(Self {
            held,
            keeper: Keeper::default(),
            now: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
        })
    }

    /// Time passes whenever it is asked for.
    fn now(&self) -> u64 {
        self.now.fetch_add(LIFE / 5, Ordering::SeqCst)
    }

    fn check(&self) {
        let now = self.now();
        let turn = self.held.slice().turn(1, now);
        match turn {
            Turn::Spent(_) => {}
            Turn::Take(wanted) if self.is_answered_late() => return self.fetch_late(wanted, now),
            Turn::Take(wanted) => self.fetch(wanted, now),
            Turn::Wait if self.held.slice().spend(1, self.now()).is_some() => {}
            Turn::Wait | Turn::Alone => count(&self.taken, 1),
        }
        count(&self.spent, 1);
    }

    /// Of every other slice.
    fn is_answered_late(&self) -> bool {
        self.fetched.fetch_add(1, Ordering::SeqCst) % 2 == 1
    }

    /// The request has timed out when its slice arrives, so that its part goes back.
    fn fetch_late(&self, wanted: u32, asked_at: u64) {
        let acquisition = Acquisition(self.held.clone());
        count(&self.timed_out, 1);
        acquisition.release_waiters();
        self.arrives(&acquisition, wanted, asked_at);
        let is_back = self.held.slice().put_back(1, asked_at, self.now());
        self.keeper.kept().insert(&self.held);
        count(&self.returned, u32::from(!is_back));
    }

    fn fetch(&self, wanted: u32, asked_at: u64) {
        self.arrives(&Acquisition(self.held.clone()), wanted, asked_at);
    }

    fn arrives(&self, acquisition: &Acquisition, wanted: u32, asked_at: u64) {
        count(&self.taken, wanted);
        let taken = Taken {
            decision: decision(asked_at),
            asked_at,
            ends_at: asked_at + LIFE,
        };
        let before = acquisition.0.slice().came(wanted, 1, taken);
        self.keeper.kept().insert(&acquisition.0);
        count(&self.returned, before.map_or(0, |unspent| unspent.cost));
    }

    fn give_back(&self, over_at: Option<u64>) {
        let unspent = self.keeper.kept().take(over_at);
        let cost = unspent.iter().map(|(_, unspent)| unspent.cost).sum();
        count(&self.returned, cost);
    }
}

fn count(what: &AtomicU64, cost: u32) {
    what.fetch_add(u64::from(cost), Ordering::SeqCst);
}

/// That all is well.
fn decision(at_micros: u64) -> Decision {
    Decision {
        allowed: true,
        remaining: 5_000,
        retry_after: None,
        reset_after: Duration::from_secs(1),
        at_micros,
    }
}

#[test]
fn what_is_taken_is_spent_or_goes_back_and_never_both() {
    in_many_orders(|| {
        let process = Process::new();
        let requests = [(); 3].map(|()| {
            let process = process.clone();
            thread::spawn(move || (0..4).for_each(|_| process.check()))
        });
        let keeper = {
            let process = process.clone();
            thread::spawn(move || (0..3).for_each(|_| process.give_back(Some(process.now()))))
        };
        for thread in requests.into_iter().chain([keeper]) {
            thread.join().expect("no panic");
        }
        process.give_back(None);
        let sum = |what: &AtomicU64| what.load(Ordering::SeqCst);
        assert_eq!(sum(&process.spent) + sum(&process.timed_out), 12);
        assert_eq!(
            sum(&process.taken),
            sum(&process.spent) + sum(&process.returned)
        );
    });
}
