//! What was decided about a request: by which policies, on which tiers, and what is left.

use std::{fmt, ptr, sync::Arc, time::Duration};

use super::{
    RateLimiter,
    account::{Account, Accounts, Exemption, Verdict},
    shared::Shared,
};
use crate::{
    algorithm::Decision,
    policy::{Policy, Tier},
};

/// What was decided about a request.
///
/// If several limits apply, it describes the tightest: the one that rejected the request (of several the
/// one that takes longest to allow it) or, if none did, the one that allows the fewest more requests
/// of the same cost. Of two that allow as many it is the one that takes longest to be whole again.
///
/// It is an extractor, too: a handler under `#[rate_limit]` that takes one sees its caller's tier
/// and what is left of the quota, and can [`charge`](Self::charge) what turned out to be dearer. Its
/// clones speak of the same request.
///
/// ```
/// use ratelimit::{RateLimitStatus, rate_limit};
///
/// #[rate_limit(limit = 10_000, algo = "token_bucket")]
/// async fn complete(status: RateLimitStatus, prompt: String) -> String {
///     let answer = format!("{prompt}, you said");
///     status.charge(answer.len() as u32).await;
///     format!("{answer}, with {:?} tokens left", status.remaining())
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::post(complete));
/// ```
#[derive(Clone)]
pub struct RateLimitStatus {
    limiter: RateLimiter,
    verdict: Verdict,
    is_wanted: bool,
    /// What is left changes when something is charged or given back.
    accounts: Shared<Accounts>,
    /// `None` for most requests, which makes nothing for it.
    outside: Option<Arc<OutsideDecisions>>,
}

/// The policies that a handler shares with layers around it, which have charged them, and the layers'
/// decisions.
pub(crate) type OutsideDecisions = Vec<(&'static Policy, Arc<RateLimitStatus>)>;

impl RateLimitStatus {
    pub(super) fn new(limiter: RateLimiter, verdict: Verdict, accounts: Accounts) -> Self {
        Self {
            limiter,
            verdict,
            is_wanted: false,
            accounts: Shared::new(accounts),
            outside: None,
        }
    }

    /// A request that was admitted without a limit.
    pub(crate) fn granted(limiter: RateLimiter, policy: &'static Policy) -> Self {
        let account = Account::unlimited(policy, policy.default_tier(), None);
        Self::new(limiter, Verdict::Admitted, Accounts::of(account))
    }

    pub(crate) fn limiter(&self) -> &RateLimiter {
        &self.limiter
    }

    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The same, and whether somebody will look for it in the response.
    pub(crate) fn wanted(mut self, is_wanted: bool) -> Self {
        self.is_wanted = is_wanted;
        self
    }

    /// The same, and what layers have decided about other policies of the handler.
    pub(crate) fn with_outside(mut self, outside: OutsideDecisions) -> Self {
        self.outside = (!outside.is_empty()).then(|| Arc::new(outside));
        self
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    pub(crate) fn accounts(&self) -> Accounts {
        self.read(Accounts::clone)
    }

    /// Looks at the accounts.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Accounts) -> T) -> T {
        self.accounts.read(look)
    }

    /// The tightest account.
    pub(crate) fn account(&self) -> Account {
        self.read(|accounts| *accounts.tightest())
    }

    /// Returns whether it allows fewer more requests like this one than the other, so that the response
    /// describes this one.
    pub(crate) fn is_tighter_than(&self, other: &Self) -> bool {
        match (self.account().tightness(), other.account().tightness()) {
            (Some(ours), Some(theirs)) => ours < theirs,
            (ours, _) => ours.is_some(),
        }
    }

    /// The policy that it speaks of.
    pub fn policy(&self) -> &'static Policy {
        self.account().policy
    }

    /// The caller's tier.
    pub fn tier(&self) -> &'static Tier {
        self.account().tier
    }

    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        self.verdict == Verdict::Admitted
    }

    /// Requests per window; `None` without a limit.
    pub fn limit(&self) -> Option<u32> {
        let account = self.account();
        account.bucket().map(|bucket| bucket.quota().limit())
    }

    /// How many requests of cost 1 would be admitted right after this one; `None` without a limit.
    pub fn remaining(&self) -> Option<u32> {
        Some(self.account().decision?.remaining)
    }

    /// How long until this same request would be admitted. `None` for one that was, and for one
    /// that never will be because it costs more than the quota can hold.
    pub fn retry_after(&self) -> Option<Duration> {
        let account = self.account();
        account.denies().then_some(account.decision?.retry_after)?
    }

    /// How long until the whole quota is available again; `None` without a limit.
    pub fn reset_after(&self) -> Option<Duration> {
        Some(self.account().decision?.reset_after)
    }

    /// Whether it was decided without the store, because that could not be asked.
    pub fn is_degraded(&self) -> bool {
        let without_store = |account: &Account| {
            account.local || (account.client.is_some() && account.decision.is_none())
        };
        self.verdict == Verdict::StoreDown || self.accounts().iter().any(without_store)
    }

    /// Whether it was admitted because the limits are turned off, for everybody
    /// ([`RateLimiter::start_bypass`]) or by a secret in the request
    /// ([`Builder::bypass_secret`](crate::Builder::bypass_secret)).
    pub fn is_bypassed(&self) -> bool {
        let bypassed = |account: &Account| account.exemption == Some(Exemption::Bypass);
        self.accounts().iter().any(bypassed)
    }

    /// Takes more from the caller's quota for what has been done already, such as the tokens of a
    /// model's answer, or all there is if that is less: nobody gets into debt. Where several limits
    /// apply, it is taken under each.
    ///
    /// The headers of the answer say what is left after it.
    pub async fn charge(&self, cost: u32) {
        self.charge_where(cost, |_| true).await;
        for (policy, status) in self.outside() {
            status
                .charge_where(cost, |other| ptr::eq(*policy, other))
                .await;
        }
    }

    async fn charge_where(&self, cost: u32, is_due: impl Fn(&'static Policy) -> bool) {
        for (n, account) in self.accounts().iter().enumerate() {
            if let Some(bucket) = account.bucket()
                && is_due(account.policy)
            {
                let decision = self.limiter.charge(&bucket, cost, account.local).await;
                self.has_changed(n, decision);
            }
        }
    }

    fn outside(&self) -> &[(&'static Policy, Arc<Self>)] {
        self.outside.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Gives back what the request has cost, as far as it still counts. A second time it does
    /// nothing.
    pub async fn refund(&self) {
        self.refund_where(|_| true).await;
        for (policy, status) in self.outside() {
            status.refund_where(|other| ptr::eq(*policy, other)).await;
        }
    }

    /// Gives back what the request has cost under some of its policies.
    pub(crate) async fn refund_where(&self, is_due: impl Fn(&'static Policy) -> bool) {
        if !self.is_allowed() {
            // Nothing has been taken.
            return;
        }
        for (n, account) in self.accounts().iter().enumerate() {
            let Some((bucket, taken)) = account.bucket().zip(account.decision) else {
                continue;
            };
            if !taken.allowed || !is_due(account.policy) {
                continue;
            }
            let cost = self.accounts.change(|accounts| {
                let account = accounts.iter_mut().nth(n);
                let due = account.filter(|account| !account.is_refunded)?;
                due.is_refunded = true;
                Some(due.cost)
            });
            if let Some(cost @ 1..) = cost {
                let given_back = self
                    .limiter
                    .refund(&bucket, cost, &taken, account.local)
                    .await;
                self.has_changed(n, given_back);
            }
        }
    }

    fn has_changed(&self, n: usize, decision: Option<Decision>) {
        self.accounts.change(|accounts| {
            let Some(account) = accounts.iter_mut().nth(n) else {
                return;
            };
            if let (Some(now), Some(then)) = (decision, account.decision) {
                account.decision = Some(Decision {
                    remaining: now.remaining,
                    reset_after: now.reset_after,
                    ..then
                });
            }
        });
    }
}

impl fmt::Debug for RateLimitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account();
        f.debug_struct("RateLimitStatus")
            .field("verdict", &self.verdict)
            .field("policy", &account.policy.name())
            .field("tier", &account.tier.name())
            .field("decision", &account.decision)
            .finish_non_exhaustive()
    }
}
