//! The load that runs while something goes wrong: what was admitted, by whom, and how long it took.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderName, HeaderValue, Request};
use ratelimit::{Algorithm, Caller, Policy, Quota, RateLimiter, Tier};
use ratelimit_tests::Lag;
use tokio::task::JoinSet;

/// What a client may do in a day, so that nothing to speak of is earned meanwhile.
pub(crate) const LIMIT: u32 = 20;

const DAY: Duration = Duration::from_secs(86_400);

/// Clients that use up their limits and go on asking, of those that come first and of those that
/// come later; all others ask once.
const BUSY: u32 = 2;

/// A slice is over by then, and what is left of it back.
const LIFE: Duration = Duration::from_millis(1_200);

/// Between two checks of a task.
const PACE: Duration = Duration::from_millis(4);

static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

static TIERS: [Tier; 2] = [
    Tier::new("free", Quota::new(LIMIT, DAY)),
    Tier::new("pro", Quota::new(100_000, DAY)),
];

static POLICIES: [Policy; 6] = [
    policy("tokens", Algorithm::TokenBucket),
    policy("sliding", Algorithm::SlidingWindow),
    policy("fixed", Algorithm::FixedWindow),
    policy("leased tokens", Algorithm::TokenBucket).with_lease(),
    policy("leased sliding", Algorithm::SlidingWindow).with_lease(),
    policy("leased fixed", Algorithm::FixedWindow).with_lease(),
];

const fn policy(name: &'static str, algorithm: Algorithm) -> Policy {
    Policy::new(name, algorithm, &TIERS).with_tier_header(&API_KEY)
}

/// A load that runs until it is stopped.
pub(crate) struct Load {
    seen: Arc<Seen>,
    tasks: JoinSet<()>,
    /// What the machine adds to every figure.
    lag: Lag,
}

/// What has been seen so far.
struct Seen {
    begin: Instant,
    is_over: AtomicBool,
    /// The busy clients that come later have come.
    has_more: AtomicBool,
    checks: AtomicU64,
    degraded: AtomicU64,
    /// Microseconds from the beginning to when a check was last decided without Redis.
    last_degraded: AtomicU64,
    /// Microseconds.
    worst: AtomicU64,
    /// What the busy clients were admitted, by policy and client.
    admitted: Mutex<HashMap<(usize, u32), u32>>,
    /// Microseconds from the beginning to when one of them last was.
    last_admitted: AtomicU64,
    /// Those that were turned away.
    turned_away: Mutex<HashSet<(usize, u32)>>,
}

/// What there was to see.
pub(crate) struct Report {
    pub(crate) checks: u64,
    /// Checks that were decided without Redis.
    pub(crate) degraded: u64,
    /// The most that a busy client was admitted under one policy, of those that came first.
    pub(crate) admitted_first: u32,
    /// The same of those that came later.
    pub(crate) admitted_later: u32,
    pub(crate) worst: Duration,
    pub(crate) worst_lag: Duration,
    /// Tasks that panicked.
    pub(crate) panics: usize,
}

impl Load {
    pub(crate) fn start(limiter: &RateLimiter, concurrent: u32) -> Self {
        let seen = Arc::new(Seen {
            begin: Instant::now(),
            is_over: AtomicBool::new(false),
            has_more: AtomicBool::new(false),
            checks: AtomicU64::new(0),
            degraded: AtomicU64::new(0),
            last_degraded: AtomicU64::new(0),
            worst: AtomicU64::new(0),
            admitted: Mutex::default(),
            last_admitted: AtomicU64::new(0),
            turned_away: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for task in 0..concurrent {
            tasks.spawn(checks(limiter.clone(), seen.clone(), task, concurrent));
        }
        let lag = Lag::measure();
        Self { seen, tasks, lag }
    }

    /// From now on there are busy clients that nobody has seen before.
    pub(crate) fn more_come(&self) {
        self.seen.has_more.store(true, Ordering::Relaxed);
    }

    /// Whether the busy clients that came first have used up their limits: each has been turned away,
    /// and what was leased then has been spent or has gone back.
    pub(crate) fn is_used_up(&self) -> bool {
        let last = Duration::from_micros(self.seen.last_admitted.load(Ordering::Relaxed));
        let is_over = self.seen.begin.elapsed().saturating_sub(last) > LIFE;
        is_over && lock(&self.seen.turned_away).len() == POLICIES.len() * BUSY as usize
    }

    /// When a check was last decided without Redis.
    pub(crate) fn last_degraded(&self) -> Instant {
        self.seen.begin + Duration::from_micros(self.seen.last_degraded.load(Ordering::Relaxed))
    }

    pub(crate) async fn stop(mut self) -> Report {
        self.seen.is_over.store(true, Ordering::Relaxed);
        let mut panics = 0;
        while let Some(ended) = self.tasks.join_next().await {
            panics += usize::from(ended.is_err());
        }
        let seen = &self.seen;
        let admitted = lock(&seen.admitted);
        let most = |is_first: bool| {
            let of_them = admitted
                .iter()
                .filter(|((_, n), _)| (*n < BUSY) == is_first);
            of_them.map(|(_, admitted)| *admitted).max().unwrap_or(0)
        };
        let micros = |time: &AtomicU64| Duration::from_micros(time.load(Ordering::Relaxed));
        Report {
            checks: seen.checks.load(Ordering::Relaxed),
            degraded: seen.degraded.load(Ordering::Relaxed),
            admitted_first: most(true),
            admitted_later: most(false),
            worst: micros(&seen.worst),
            worst_lag: self.lag.worst(),
            panics,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn checks(limiter: RateLimiter, seen: Arc<Seen>, task: u32, tasks: u32) {
    let mut n = 0_u32;
    while !seen.is_over.load(Ordering::Relaxed) {
        tokio::time::sleep(PACE).await;
        n += 1;
        let is_busy = n.is_multiple_of(2);
        let busy = if seen.has_more.load(Ordering::Relaxed) {
            2 * BUSY
        } else {
            BUSY
        };
        let client = if is_busy {
            n / 2 % busy
        } else {
            n * tasks + task + 2 * BUSY
        };
        // Each client under each policy.
        let policy = (n / 2 / busy) as usize % POLICIES.len();
        let mut request = Request::new(());
        // A few have an API key: one that is on a tier, and ones that nobody knows.
        let key = match n % 8 {
            1 => Some("k-pro".to_owned()),
            3 => Some(format!("k-{task}-{n}")),
            _ => None,
        };
        if let Some(key) = key.and_then(|key| HeaderValue::try_from(key).ok()) {
            request.headers_mut().insert(&API_KEY, key);
        }
        let (parts, ()) = request.into_parts();
        let address = IpAddr::from(Ipv4Addr::from(client));
        let caller = Caller::new(&parts).with_peer(Some(address));

        let asked = Instant::now();
        let status = limiter.check(&POLICIES[policy], caller).await;
        let took = asked.elapsed();

        seen.checks.fetch_add(1, Ordering::Relaxed);
        seen.worst.fetch_max(micros(took), Ordering::Relaxed);
        if status.is_degraded() {
            seen.degraded.fetch_add(1, Ordering::Relaxed);
            let at = micros(seen.begin.elapsed());
            seen.last_degraded.fetch_max(at, Ordering::Relaxed);
        }
        if is_busy && status.is_allowed() {
            *lock(&seen.admitted).entry((policy, client)).or_default() += 1;
            let at = micros(seen.begin.elapsed());
            seen.last_admitted.fetch_max(at, Ordering::Relaxed);
        } else if is_busy {
            lock(&seen.turned_away).insert((policy, client));
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
