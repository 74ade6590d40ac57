//! The limiter: from a request and a policy to a decision.

mod account;
mod address_settings;
mod addresses;
mod admin;
mod build_error;
mod builder;
mod bypass;
mod caller;
mod decide;
mod figures;
mod fleet;
mod global;
mod header_style;
mod host_key;
mod known;
mod namesakes;
mod notice;
mod report;
mod secrets;
mod shared;
mod status;
mod undeclared_tiers;
mod wait;
mod wait_estimate;
mod wait_queue;
mod watch;

use std::{fmt, sync::Arc};

#[cfg(feature = "metrics")]
use crate::client::LookUps;

pub(crate) use self::account::{Account, Accounts, Verdict};
pub(crate) use self::status::OutsideDecisions;
use self::{
    addresses::Addresses,
    bypass::Switch,
    fleet::Fleet,
    known::Known,
    namesakes::Namesakes,
    notice::Notice,
    report::Reports,
    secrets::Secrets,
    undeclared_tiers::UndeclaredTiers,
    wait_queue::{Backlog, WaitQueue},
    watch::Watch,
};
pub use self::{
    admin::{SetTierError, Standing},
    build_error::BuildError,
    builder::Builder,
    bypass::{Bypass, BypassError},
    caller::Caller,
    global::AlreadyInstalled,
    header_style::HeaderStyle,
    status::RateLimitStatus,
};
use crate::{
    budget::Budget,
    client::{ClientDigests, KnownHosts, StaticTiers, TierCache},
    clock::{Clock, MonotonicClock},
    log_throttle::LogThrottle,
    observe::Observer,
    policy::{OnStoreError, Policy},
    store::{AnyStore, MemoryStore},
};

/// Decides about requests: holds the store, knows tiers and trusted proxies.
///
/// One is installed for the whole program, or put on a router with `axum::Extension` for tests and
/// for applications with several. Its clones are the same limiter. Without any, limits are kept in
/// this process's memory.
///
/// ```
/// use axum::{Extension, Router};
/// use ratelimit::{RateLimiter, StaticTiers};
///
/// let limiter = RateLimiter::builder()
///     .tiers(StaticTiers::new([("k-alice", "pro")]))
///     .trusted_proxies(["10.0.0.0/8"])
///     .build()?;
///
/// // For one router (`limiter.install()` would be for all of them):
/// let app: Router = Router::new().layer(Extension(limiter));
/// # Ok::<(), ratelimit::BuildError>(())
/// ```
#[derive(Clone)]
pub struct RateLimiter(Arc<Inner>);

struct Inner {
    store: AnyStore,
    /// Keeps the same limits in this process while the store cannot be asked.
    local: MemoryStore,
    /// `None` if the store is in this process and caches no rejections.
    known: Option<Known>,
    on_store_error: OnStoreError,
    tiers: Tiers,
    addresses: Addresses,
    hosts: KnownHosts,
    secrets: Option<Secrets>,
    digests: ClientDigests,
    headers: HeaderStyle,
    clock: Arc<dyn Clock>,
    queue: WaitQueue,
    watch: Arc<Watch>,
    mode: Mode,
    namesakes: Namesakes,
    fleet: Fleet,
    reports: Reports,
    used_secret: LogThrottle,
    wrong_secret: LogThrottle,
    corrupt_bucket: LogThrottle,
    defect: Notice,
    refusal: Notice,
    no_tiers: Notice,
    ambiguous_header: Notice,
    undeclared_tiers: UndeclaredTiers,
    no_parameter: Notice,
    no_hosts: Notice,
}

/// Who knows the tiers of API keys.
enum Tiers {
    Nobody,
    Static(StaticTiers),
    Resolver(TierCache),
    /// The store's own, who shares its time and its outages.
    InStore(TierCache),
}

#[cfg(feature = "metrics")]
impl Tiers {
    fn look_ups(&self) -> Option<Arc<LookUps>> {
        match self {
            Self::Nobody | Self::Static(_) => None,
            Self::Resolver(cache) | Self::InStore(cache) => Some(cache.look_ups()),
        }
    }
}

impl RateLimiter {
    /// A limiter with other than the usual settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Decides about one request under a policy, and takes its cost if it is allowed.
    ///
    /// This is what `#[rate_limit]` does before it runs a handler. While the store cannot be asked,
    /// the same limits are kept in this process, unless the policy or the limiter say otherwise.
    ///
    /// ```
    /// use axum::http::Request;
    /// use ratelimit::{Algorithm, Caller, Policy, Quota, RateLimiter, Tier};
    ///
    /// static LOGIN: Policy = Policy::new(
    ///     "login",
    ///     Algorithm::FixedWindow,
    ///     &[Tier::new("default", Quota::per_minute(1))],
    /// );
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let limiter = RateLimiter::builder().build()?;
    /// let (parts, _) = Request::new(()).into_parts();
    /// let caller = Caller::new(&parts).with_peer(Some([203, 0, 113, 7].into()));
    ///
    /// assert!(limiter.check(&LOGIN, caller).await.is_allowed());
    /// assert!(!limiter.check(&LOGIN, caller).await.is_allowed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn check(&self, policy: &'static Policy, caller: Caller<'_>) -> RateLimitStatus {
        match self.check_at_once([policy], caller) {
            Some(status) => status,
            // Boxed, or each check in memory would carry the room for what it does not wait for.
            None => Box::pin(self.check_in_time(&[policy], caller)).await,
        }
    }

    /// Decides about one request under several policies: it is admitted if each of them admits it,
    /// and otherwise takes nothing from any. A policy that is named twice counts once.
    ///
    /// # Panics
    ///
    /// There is no policy.
    pub async fn check_all(
        &self,
        policies: &[&'static Policy],
        caller: Caller<'_>,
    ) -> RateLimitStatus {
        match self.check_at_once(policies.iter().copied(), caller) {
            Some(status) => status,
            None => Box::pin(self.check_in_time(policies, caller)).await,
        }
    }

    /// The decision if nothing needs to be waited for: by a store that decides without waiting, with
    /// keys whose tiers are known.
    pub(crate) fn check_at_once(
        &self,
        policies: impl IntoIterator<Item = &'static Policy>,
        caller: Caller<'_>,
    ) -> Option<RateLimitStatus> {
        let began = match &self.0.store {
            AnyStore::Memory(_) => self.begin_one_of_many(),
            AnyStore::Erased(store) if store.has_sync_check() => {
                self.keep_in_touch();
                if store.is_in_process() {
                    self.begin_one_of_many()
                } else {
                    Some(std::time::Instant::now())
                }
            }
            AnyStore::Erased(_) => return None,
        };
        let mut policies = policies.into_iter();
        let policy = first(&mut policies);
        let first = self.account_at_once(policy, &caller)?;
        let mut accounts = Accounts::of(first);
        for policy in policies {
            accounts.add(self.account_at_once(policy, &caller)?);
        }
        if self.must_queue(&accounts) {
            return None;
        }
        let verdict = self.decide_at_once(&mut accounts)?;
        if verdict == Verdict::Limited && accounts.patience().is_some() {
            // It took nothing, so it can be decided again.
            return None;
        }
        if let Some(began) = began {
            self.0.watch.observer.took(began);
        }
        self.report_secret(policy, &caller);
        self.observe(&accounts, verdict);
        Some(RateLimitStatus::new(self.clone(), verdict, accounts))
    }

    /// The decision where a store, a resolver or the caller's turn may have to be waited for.
    pub(crate) async fn check_in_time(
        &self,
        policies: &[&'static Policy],
        caller: Caller<'_>,
    ) -> RateLimitStatus {
        self.keep_in_touch();
        let began = std::time::Instant::now();
        // Before anything is waited for, so that a client that goes away is seen.
        self.report_secret(first(&mut policies.iter().copied()), &caller);
        let (mut accounts, is_unanswered) = self.accounts(policies, &caller).await;
        let (mut verdict, backlog) = if is_unanswered && !self.must_queue(&accounts) {
            (self.decide_in_outage(&mut accounts), Backlog::default())
        } else {
            self.decide_in_order(&mut accounts, self.deadline()).await
        };
        // Without the time that a request waits for its turn: that is the limit's doing.
        self.0.watch.observer.took(began);
        if verdict == Verdict::Limited {
            verdict = self.wait(&mut accounts, backlog, &caller).await;
        }
        self.observe(&accounts, verdict);
        RateLimitStatus::new(self.clone(), verdict, accounts)
    }

    /// The beginning of a check, if it is one of those that are timed.
    #[inline]
    fn begin_one_of_many(&self) -> Option<std::time::Instant> {
        (self.0.mode != Mode::Unobserved)
            .then(Observer::begin_one_of_many)
            .flatten()
    }

    /// Until when the store may be waited for.
    fn deadline(&self) -> Budget {
        Budget::start(self.0.store.timeout())
    }

    #[inline]
    fn observe(&self, accounts: &Accounts, verdict: Verdict) {
        match self.0.mode {
            Mode::Usual | Mode::ForTests => {}
            Mode::Unobserved => return,
        }
        self.report(accounts, verdict);
        if self.0.mode == Mode::ForTests {
            self.0.namesakes.assert_apart(accounts);
        }
    }

    /// Whether the other one is a clone of it.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn is_for_tests(&self) -> bool {
        self.0.mode == Mode::ForTests
    }

    pub(crate) fn headers(&self) -> HeaderStyle {
        self.0.headers
    }
}

impl Default for RateLimiter {
    /// A limiter that keeps its limits in memory and knows no API keys.
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

/// # Panics
///
/// There is none.
fn first(policies: &mut impl Iterator<Item = &'static Policy>) -> &'static Policy {
    policies.next().expect("a check needs a policy")
}

/// What a limiter goes by, all of it checked.
struct Settings {
    store: AnyStore,
    clock: Arc<dyn Clock>,
    on_store_error: OnStoreError,
    tiers: Tiers,
    addresses: Addresses,
    hosts: KnownHosts,
    secrets: Option<Secrets>,
    digests: ClientDigests,
    headers: HeaderStyle,
    mode: Mode,
    namesakes: Namesakes,
}

/// What a limiter does beside deciding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// It counts, and logs.
    #[default]
    Usual,
    /// It does neither: see [`Builder::unobserved`].
    Unobserved,
    /// It does more than is usual: see [`Builder::for_tests`].
    ForTests,
}

impl Default for Settings {
    fn default() -> Self {
        let store = AnyStore::new(MemoryStore::new());
        Self {
            clock: clock_of(&store),
            store,
            on_store_error: OnStoreError::default(),
            tiers: Tiers::Nobody,
            addresses: Addresses::default(),
            hosts: KnownHosts::default(),
            secrets: None,
            digests: ClientDigests::default(),
            headers: HeaderStyle::default(),
            mode: Mode::default(),
            namesakes: Namesakes::default(),
        }
    }
}

/// The clock of the store, so that a test that moves the one has moved the other; else one of the
/// limiter's own.
fn clock_of(store: &AnyStore) -> Arc<dyn Clock> {
    store
        .clock()
        .unwrap_or_else(|| Arc::new(MonotonicClock::new()))
}

impl RateLimiter {
    fn new(settings: Settings) -> Self {
        let Settings { store, clock, .. } = settings;
        let watch = Arc::new(Watch {
            observer: Observer::new(),
            bypass: Switch::default(),
            clock: clock.clone(),
            #[cfg(feature = "metrics")]
            store: store.clone(),
            #[cfg(feature = "metrics")]
            look_ups: settings.tiers.look_ups(),
            panicked: Notice::default(),
        });
        watch::begin(&watch);
        let reports = Reports::new(&clock);
        let [used_secret, wrong_secret, corrupt_bucket] =
            [(); 3].map(|()| LogThrottle::new(clock.clone()));
        let limiter = Self(Arc::new(Inner {
            known: Known::of(&store),
            local: MemoryStore::new().with_clock(clock.clone()),
            store,
            on_store_error: settings.on_store_error,
            tiers: settings.tiers,
            addresses: settings.addresses,
            hosts: settings.hosts,
            secrets: settings.secrets,
            digests: settings.digests,
            headers: settings.headers,
            clock,
            queue: WaitQueue::default(),
            watch,
            mode: settings.mode,
            namesakes: settings.namesakes,
            fleet: Fleet::default(),
            reports,
            used_secret,
            wrong_secret,
            corrupt_bucket,
            defect: Notice::default(),
            refusal: Notice::default(),
            no_tiers: Notice::default(),
            ambiguous_header: Notice::default(),
            undeclared_tiers: UndeclaredTiers::default(),
            no_parameter: Notice::default(),
            no_hosts: Notice::default(),
        }));
        limiter.keep_in_touch();
        limiter
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter")
            .field("store", &self.0.store.name())
            .finish_non_exhaustive()
    }
}
