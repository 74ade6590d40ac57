//! What a flood of new clients makes a full store forget: those that lose the least by it.

use super::*;

const ALGORITHMS: [Algorithm; 3] = [
    Algorithm::TokenBucket,
    Algorithm::SlidingWindow,
    Algorithm::FixedWindow,
];

const DAY: Duration = Duration::from_secs(86_400);

const CAPACITY: usize = 1_000;

/// The policies of a test live as long as it does.
fn policy(name: &'static str, algorithm: Algorithm, quota: Quota) -> &'static Policy {
    let tiers = Box::leak(Box::new([Tier::new("default", quota)]));
    Box::leak(Box::new(Policy::new(name, algorithm, tiers)))
}

/// A full store, and clients that come to it one after another.
struct Flood {
    store: MemoryStore,
    clock: ManualClock,
    clients: u32,
}

impl Flood {
    fn new() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::new()
            .with_capacity(CAPACITY)
            .with_clock(clock.clone());
        Self {
            store,
            clock,
            clients: 1 << 24,
        }
    }

    /// A client that was not there before sends a request of this cost.
    fn comes(&mut self, policy: &'static Policy, cost: u32) {
        self.clients += 1;
        let bucket = bucket(policy, self.clients);
        assert!(self.store.decide_one(&bucket, cost).allowed);
    }

    /// How many of the checks of a client are allowed at once.
    fn allowed(&self, bucket: &Bucket) -> u32 {
        let mut allowed = 0;
        while self.store.decide_one(bucket, 1).allowed {
            allowed += 1;
        }
        allowed
    }
}

/// Floods, and what each of their clients uses: less of its quota than one that is rejected has used.
fn floods() -> Vec<(&'static Policy, u32)> {
    let quotas = [
        (Quota::per_minute(5), 1),
        (Quota::new(1_000, DAY), 1),
        (Quota::new(5, DAY), 4),
        (Quota::new(2, DAY * 366), 1),
        (Quota::per_second(2), 1),
        (Quota::new(100_000, DAY), 50),
    ];
    let of_each = ALGORITHMS.into_iter().flat_map(|algorithm| {
        quotas.map(|(quota, cost)| (policy("flood", algorithm, quota), cost))
    });
    let burst = Quota::per_minute(1).with_burst(100_000);
    of_each
        .chain([(policy("flood", Algorithm::TokenBucket, burst), 1)])
        .collect()
}

#[test]
fn a_flood_under_any_policy_leaves_a_used_up_quota_used_up() {
    for algorithm in ALGORITHMS {
        let login = policy("login", algorithm, Quota::per_minute(5));
        for (fresh, cost) in floods() {
            let mut flood = Flood::new();
            let attackers = [bucket(login, 1), bucket(login, 2)];
            assert!(attackers.iter().all(|bucket| flood.allowed(bucket) == 5));
            for _ in 0..10 * CAPACITY {
                flood.comes(fresh, cost);
            }
            for bucket in &attackers {
                assert_eq!(flood.allowed(bucket), 0, "{login:?}, {fresh:?}");
            }
        }
    }
}

#[test]
fn floods_under_all_policies_at_once_leave_a_used_up_quota_used_up() {
    let mut flood = Flood::new();
    let quotas = [Quota::per_minute(5), Quota::new(1_000, DAY)];
    let burst = Quota::per_minute(6_000).with_burst(100_000);
    let victims: Vec<Bucket> = ALGORITHMS
        .into_iter()
        .flat_map(|algorithm| quotas.map(|quota| policy("victim", algorithm, quota)))
        .chain([policy("victim", Algorithm::TokenBucket, burst)])
        .flat_map(|policy| [1, 2, 3].map(|client| bucket(policy, client)))
        .collect();
    for bucket in &victims {
        let all = bucket.algorithm().capacity(&bucket.quota());
        assert!(flood.store.decide_one(bucket, all).allowed);
    }
    let floods = floods();
    for n in 0..20 * CAPACITY {
        let (fresh, cost) = floods[n % floods.len()];
        flood.comes(fresh, cost);
    }
    for bucket in &victims {
        assert_eq!(flood.allowed(bucket), 0, "{bucket:?}");
    }
}

/// With time, a client's share comes back to it; what is forgotten is then no more than that.
#[test]
fn an_hour_of_flood_gives_a_client_the_rate_and_no_more() {
    for algorithm in ALGORITHMS {
        let login = policy("login", algorithm, Quota::per_minute(5));
        let fresh = policy("flood", Algorithm::TokenBucket, Quota::new(1_000, DAY));
        let mut flood = Flood::new();
        let attacker = bucket(login, 1);
        let mut allowed = 0;
        for _ in 0..600 {
            for _ in 0..100 {
                flood.comes(fresh, 1);
            }
            flood.clock.advance(Duration::from_secs(6));
            allowed += flood.allowed(&attacker);
        }
        assert!(allowed <= 5 + 5 * 60, "{login:?}: {allowed}");
    }
}

/// A client that has used little is forgotten before one that has used more, whatever their windows.
#[test]
fn of_two_clients_the_one_that_has_used_less_of_its_quota_is_forgotten() {
    let quotas = [
        Quota::per_second(100),
        Quota::per_minute(40),
        Quota::new(2_000, DAY),
    ];
    let policies: Vec<&'static Policy> = ALGORITHMS
        .into_iter()
        .flat_map(|algorithm| quotas.map(|quota| policy("both", algorithm, quota)))
        .collect();
    let share = |policy: &Policy, percent: u32| {
        let quota = policy.default_tier().quota().expect("limited");
        policy.algorithm().capacity(&quota) * percent / 100
    };
    for more in &policies {
        for less in &policies {
            let clock = ManualClock::new();
            let store = MemoryStore::new().with_capacity(2).with_clock(clock);
            let [kept, forgotten] = [bucket(more, 1), bucket(less, 2)];
            assert!(store.decide_one(&forgotten, share(less, 50)).allowed);
            assert!(store.decide_one(&kept, share(more, 55)).allowed);
            assert!(store.decide_one(&bucket(less, 3), 1).allowed);
            let left = |bucket: &Bucket| store.decide_one(bucket, 0).remaining;
            assert_eq!(left(&kept), share(more, 100) - share(more, 55));
            assert_eq!(left(&forgotten), share(less, 100), "{more:?}, {less:?}");
        }
    }
}

/// The share of a sliding window is of the window that ends now, and not of all that is in the log.
#[test]
fn what_has_left_a_window_does_not_count() {
    let sliding = policy("sliding", Algorithm::SlidingWindow, Quota::per_minute(10));
    let fixed = policy("fixed", Algorithm::FixedWindow, Quota::per_minute(10));
    let clock = ManualClock::new();
    let store = MemoryStore::new()
        .with_capacity(2)
        .with_clock(clock.clone());
    let [mostly_gone, half_used] = [bucket(sliding, 1), bucket(fixed, 2)];
    assert!(store.decide_one(&mostly_gone, 9).allowed);
    clock.advance(Duration::from_secs(50));
    assert!(store.decide_one(&mostly_gone, 1).allowed);
    assert!(store.decide_one(&half_used, 5).allowed);
    clock.advance(Duration::from_secs(10));
    assert!(store.decide_one(&bucket(fixed, 3), 1).allowed);
    assert_eq!(store.decide_one(&half_used, 0).remaining, 5);
    assert_eq!(store.decide_one(&mostly_gone, 0).remaining, 10);
}

/// A flood of clients that each use up their whole quota cannot be told from a client that has. For
/// each time that it makes the store forget one, a part of the store's capacity of them has to come.
#[test]
fn a_flood_that_uses_up_its_quotas_forgets_a_client_once_in_many() {
    for algorithm in ALGORITHMS {
        let login = policy("login", algorithm, Quota::per_minute(5));
        let once = policy("flood", Algorithm::FixedWindow, Quota::new(1, DAY));
        let mut flood = Flood::new();
        let attacker = bucket(login, 1);
        let mut forgotten = 0;
        for _ in 0..50 * CAPACITY {
            flood.comes(once, 1);
            if flood.allowed(&attacker) > 0 {
                forgotten += 1;
            }
        }
        assert!(forgotten <= 50 * 20, "{login:?}: {forgotten} times");
    }
}

/// One that is new has used the least and must be held all the same: a store that is full of clients
/// who have used up everything would never limit it.
#[test]
fn a_new_client_is_limited_in_a_store_of_clients_that_have_used_up_theirs() {
    let mut flood = Flood::new();
    let once = policy("flood", Algorithm::FixedWindow, Quota::new(1, DAY));
    for _ in 0..2 * CAPACITY {
        flood.comes(once, 1);
    }
    let wide = policy("wide", Algorithm::TokenBucket, Quota::per_minute(1_000));
    assert_eq!(flood.allowed(&bucket(wide, 1)), 1_000);
}
