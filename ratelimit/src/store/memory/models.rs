//! Threads at several shards in many orders.

use shuttle::thread;

use super::*;
use crate::{
    client::ClientId,
    policy::{Algorithm, Policy, Quota, Tier},
    sync::{
        atomic::{AtomicU64, Ordering},
        in_many_orders,
    },
};

const LIMIT: u32 = 3;

/// Shows each time once, so that decisions have an order.
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now_micros(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// A store with buckets in as many shards, in the shards' order.
struct Setup {
    store: MemoryStore,
    buckets: Vec<Bucket>,
}

/// What was said of buckets, and whether their cost was asked for or given back.
struct Told {
    buckets: Vec<usize>,
    decisions: Decisions,
    gives_back: bool,
}

fn bucket(n: u32) -> Bucket {
    static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_hour(LIMIT))];
    static POLICY: Policy = Policy::new("modelled", Algorithm::FixedWindow, &TIERS);
    let client = ClientId::ip(std::net::Ipv4Addr::from(n).into());
    Bucket::new(&POLICY, &TIERS[0], client).expect("a limited tier")
}

fn setup() -> Setup {
    let store = MemoryStore::new().with_clock(Ticking(AtomicU64::new(1_000)));
    let mut buckets: Vec<Bucket> = (0..100).map(bucket).collect();
    buckets.sort_by_key(|bucket| store.place(bucket).shard);
    buckets.dedup_by_key(|bucket| store.place(bucket).shard);
    buckets.truncate(3);
    Setup { store, buckets }
}

impl Setup {
    fn check(&self, buckets: [usize; 2]) -> Told {
        let charge = |n: usize| Charge {
            bucket: self.buckets[n],
            cost: 1,
            enforced: true,
        };
        Told {
            buckets: buckets.to_vec(),
            decisions: self.store.decide(&buckets.map(charge)),
            gives_back: false,
        }
    }

    fn check_one(&self, bucket: usize) -> Told {
        let decision = self.store.decide_one(&self.buckets[bucket], 1);
        Told {
            buckets: vec![bucket],
            decisions: Decisions::from_buf([decision]),
            gives_back: false,
        }
    }

    fn give_back(&self, bucket: usize, taken: &Decision) -> Told {
        let decision = self.store.give_back(&self.buckets[bucket], 1, taken);
        Told {
            buckets: vec![bucket],
            decisions: Decisions::from_buf([decision]),
            gives_back: true,
        }
    }
}

/// Each two of three want a bucket in common, and each its two in another order.
#[test]
fn who_wants_several_shards_gets_all_or_nothing_and_nobody_waits_for_ever() {
    in_many_orders(|| {
        let setup = Arc::new(setup());
        let of_several = [[0, 1], [1, 2], [2, 0]].map(|wanted| {
            let setup = setup.clone();
            thread::spawn(move || vec![setup.check(wanted), setup.check(wanted)])
        });
        let of_one = {
            let setup = setup.clone();
            thread::spawn(move || {
                let mut told = vec![setup.check_one(1)];
                let taken = told[0].decisions[0];
                if taken.allowed {
                    told.push(setup.give_back(1, &taken));
                }
                told
            })
        };
        let threads = of_several.into_iter().chain([of_one]);
        let told = threads.flat_map(|thread| thread.join().expect("no panic"));
        let mut told: Vec<Told> = told.collect();
        told.extend((0..3).map(|n| setup.check_one(n)));
        told.sort_by_key(|told| told.decisions[0].at_micros);
        is_of_one_after_the_other(&told);
    });
}

/// Of two new clients of a store with room for one, each in another shard, only one finds room.
#[test]
fn two_shards_do_not_take_the_last_room_both() {
    const CAPACITY: u32 = 32;
    in_many_orders(|| {
        let store = Arc::new(
            MemoryStore::new()
                .with_capacity(CAPACITY as usize)
                .with_clock(Ticking(AtomicU64::new(1_000))),
        );
        for client in 1..CAPACITY {
            let _ = store.decide_one(&bucket(client), 1);
        }
        let new = |shard| {
            let mut buckets = (CAPACITY..).map(bucket);
            buckets.find(|bucket| store.place(bucket).shard == shard)
        };
        let threads = [0, 1].map(|shard| {
            let (store, bucket) = (store.clone(), new(shard).expect("there are others"));
            thread::spawn(move || store.decide_one(&bucket, 1))
        });
        for thread in threads {
            assert!(thread.join().expect("no panic").allowed);
        }
        assert_eq!(store.len(), CAPACITY as usize);
        assert_eq!(store.capacity.held(), CAPACITY as usize);
    });
}

/// Whoever reads the clock before the lock is not to decide, once the bucket is forgotten, as of a time
/// before that.
#[test]
fn a_bucket_is_forgotten_at_one_instant() {
    in_many_orders(|| {
        let setup = Arc::new(setup());
        let checks = [(); 2].map(|()| {
            let setup = setup.clone();
            thread::spawn(move || [setup.check_one(0), setup.check_one(0)])
        });
        let clock = setup.store.clock().expect("a clock in this process");
        let from = clock.now_micros();
        setup.store.forget(&setup.buckets[0]);
        let until = clock.now_micros();

        let told = checks
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"));
        let mut decisions: Vec<Decision> = told.map(|told| told.decisions[0]).collect();
        decisions.sort_by_key(|decision| decision.at_micros);
        let earlier = |time| decisions.partition_point(|decision| decision.at_micros < time);
        let is_then = |forgotten: usize| {
            let (before, after) = decisions.split_at(forgotten);
            [before, after].iter().all(|decisions| {
                let left = (0..LIMIT).rev().map(|left| (true, left));
                let told = decisions.iter().map(|told| (told.allowed, told.remaining));
                told.eq(left.chain([(false, 0)]).take(decisions.len()))
            })
        };
        assert!(
            (earlier(from)..=earlier(until)).any(is_then),
            "{decisions:?}"
        );
    });
}

fn is_of_one_after_the_other(told: &[Told]) {
    let mut left = [LIMIT; 3];
    for Told {
        buckets,
        decisions,
        gives_back,
    } in told
    {
        let all = buckets.iter().all(|&n| left[n] > 0);
        for (&n, decision) in buckets.iter().zip(decisions) {
            let allowed = *gives_back || left[n] > 0;
            match (gives_back, all) {
                (true, _) => left[n] += 1,
                (false, true) => left[n] -= 1,
                (false, false) => {}
            }
            assert_eq!((decision.allowed, decision.remaining), (allowed, left[n]));
        }
    }
}
