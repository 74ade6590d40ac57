//! From accounts to a verdict: by the store, or without it where it need not or cannot be asked.

use super::{
    RateLimiter,
    account::{Account, Accounts, Charges, Verdict},
};
use crate::{
    algorithm::Decision,
    budget::Budget,
    policy::{OnStoreError, Policy},
    store::{AnyStore, Bucket, Charge, Decisions, ErasedStore, StoreError},
};

impl RateLimiter {
    /// The verdict, where the store need not be waited for. Otherwise nothing is taken.
    #[inline]
    pub(super) fn decide_at_once(&self, accounts: &mut Accounts) -> Option<Verdict> {
        match &self.0.store {
            AnyStore::Memory(store) => Some(accounts.decide_in(store)),
            AnyStore::Erased(store) => self.try_decide(store, accounts),
        }
    }

    fn try_decide(&self, store: &ErasedStore, accounts: &mut Accounts) -> Option<Verdict> {
        let charges = accounts.charges(|_| true);
        if charges.is_empty() {
            return Some(Verdict::Admitted);
        }
        let known = self.0.known.as_ref();
        let known = known.map(|known| (known, self.0.clock.now_micros()));
        match store.try_check_all(&charges)? {
            Ok(decisions) => {
                if let Some((known, now)) = known {
                    known.note(&charges, &decisions, now);
                }
                Some(accounts.note(|_| true, decisions, false))
            }
            Err(error) => {
                self.no_answer(&error, charges.first().map(|charge| &charge.bucket));
                Some(self.decide_without_store(accounts))
            }
        }
    }

    /// Charges all accounts that have a bucket, or none of them.
    pub(super) async fn decide(&self, accounts: &mut Accounts, deadline: Budget) -> Verdict {
        let charges = accounts.charges(|_| true);
        let now = self.0.clock.now_micros();
        if let Some(verdict) = self.decide_unasked(accounts, &charges, now) {
            return verdict;
        }
        match self.0.store.check_all(&charges, deadline).await {
            Ok(decisions) => {
                if let Some(known) = &self.0.known {
                    let looks = known.to_look_at(&charges, &decisions, now);
                    known.note(&charges, &decisions, now);
                    if !looks.is_empty() {
                        // Boxed, or each check would carry the room for what few do.
                        Box::pin(self.look_at_lower_costs(&looks, deadline)).await;
                    }
                }
                accounts.note(|_| true, decisions, false)
            }
            Err(error) => {
                self.no_answer(&error, charges.first().map(|charge| &charge.bucket));
                self.decide_without_store(accounts)
            }
        }
    }

    /// Has the rejection of these costs cached. Without an answer there is none to cache.
    async fn look_at_lower_costs(&self, looks: &[Charge], deadline: Budget) {
        if let Err(error) = self.look_at(looks, deadline).await {
            self.no_answer(&error, looks.first().map(|look| &look.bucket));
        }
    }

    /// Decides as during an outage. Nothing is sent to the store, which has just kept this request
    /// waiting for as long as a request may wait for it.
    pub(super) fn decide_in_outage(&self, accounts: &mut Accounts) -> Verdict {
        if let Some(verdict) = self.decide_at_once(accounts) {
            return verdict;
        }
        let charges = accounts.charges(|_| true);
        let now = self.0.clock.now_micros();
        self.decide_unasked(accounts, &charges, now)
            .unwrap_or_else(|| self.decide_without_store(accounts))
    }

    /// The verdict if it does not depend on the store: nothing is charged, or the rejection is cached.
    fn decide_unasked(
        &self,
        accounts: &mut Accounts,
        charges: &[Charge],
        now: u64,
    ) -> Option<Verdict> {
        if charges.is_empty() {
            return Some(Verdict::Admitted);
        }
        let denial = self.0.known.as_ref()?.denial(charges, now)?;
        Some(accounts.note(|_| true, denial, false))
    }

    fn decide_without_store(&self, accounts: &mut Accounts) -> Verdict {
        self.ask_locally(accounts, Account::charge, |charges| {
            self.0.local.decide(charges)
        })
    }

    /// The verdict without the store, where what is kept in this process decides as this says about
    /// those charges that are kept here.
    pub(super) fn ask_locally(
        &self,
        accounts: &mut Accounts,
        charge: impl Fn(&Account) -> Option<Charge>,
        decide: impl FnOnce(&[Charge]) -> Decisions,
    ) -> Verdict {
        let denies = |account: &Account| {
            account.charge().is_some_and(|charge| charge.enforced)
                && self.without_store(account.policy) == OnStoreError::Deny
        };
        if accounts.iter().any(denies) {
            return Verdict::StoreDown;
        }
        for account in accounts.iter_mut() {
            account.decision = None;
        }
        let is_local =
            |account: &Account| self.without_store(account.policy) == OnStoreError::Local;
        let local = accounts.iter().filter(|account| is_local(account));
        let charges: Charges = local.filter_map(charge).collect();
        if charges.is_empty() {
            return Verdict::Admitted;
        }
        for charge in &charges {
            self.begin_locally(&charge.bucket);
        }
        accounts.note(is_local, decide(&charges), true)
    }

    /// Takes a cost, or all there is, where the request was charged. `None` if that cannot be.
    pub(super) async fn charge(&self, bucket: &Bucket, cost: u32, local: bool) -> Option<Decision> {
        if local {
            return Some(self.0.local.take(bucket, cost));
        }
        let asked_at = self.0.clock.now_micros();
        match self.0.store.charge(bucket, cost).await {
            Ok(decision) => {
                if let Some(known) = &self.0.known {
                    let charge = Charge {
                        bucket: *bucket,
                        cost,
                        enforced: true,
                    };
                    // It says what is left, and not that a request was turned away.
                    let left = Decision {
                        allowed: true,
                        ..decision
                    };
                    known.note(&[charge], &[left], asked_at);
                }
                Some(decision)
            }
            Err(error) => {
                self.no_answer(&error, Some(bucket));
                let is_local = self.without_store(bucket.policy()) == OnStoreError::Local;
                is_local.then(|| {
                    self.begin_locally(bucket);
                    self.0.local.take(bucket, cost)
                })
            }
        }
    }

    /// Gives a cost back where it was taken. `None` if the store cannot be asked.
    pub(super) async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
        local: bool,
    ) -> Option<Decision> {
        if local {
            let given_back = self.0.local.give_back(bucket, cost, taken);
            self.0.queue.wake_first(bucket);
            return Some(given_back);
        }
        let given_back = self.0.store.refund(bucket, cost, taken).await;
        if let Some(known) = &self.0.known {
            known.forget(bucket);
        }
        self.0.queue.wake_first(bucket);
        given_back
            .inspect_err(|error| self.no_answer(error, Some(bucket)))
            .ok()
    }

    /// What happens to the requests of a policy without the store.
    fn without_store(&self, policy: &Policy) -> OnStoreError {
        policy.on_store_error().unwrap_or(self.0.on_store_error)
    }

    /// Has a bucket in this process begin where it stood at the store's last answer.
    fn begin_locally(&self, bucket: &Bucket) {
        if let Some(known) = &self.0.known {
            known.hand_over(bucket, |state| self.0.local.begin(bucket, state));
        }
    }

    /// Logs why the store took no decision: once of each kind, and at most once a second of corrupt buckets.
    /// The bucket is the one that it was about, or the first of several.
    pub(super) fn no_answer(&self, error: &StoreError, bucket: Option<&Bucket>) {
        let policy = || bucket.map(|bucket| bucket.policy().name());
        let client = || bucket.map(|bucket| self.0.digests.name(bucket.client()));
        // The circuit breaker logs an outage when it begins and when it ends, if there is one.
        if error.is_defect() || (error.is_outage() && self.0.store.is_in_process()) {
            self.0.defect.once(|| {
                tracing::error!(
                    policy = policy(),
                    error = error.to_string(),
                    "limits are kept as on_store_error says while the store takes no decisions. This is \
                     logged once"
                );
            });
        }
        if error.is_of_one_bucket() {
            // Of each client: there may be several, and an operator removes them one by one.
            self.0.corrupt_bucket.log(|left_out| {
                tracing::error!(
                    policy = policy(),
                    client = client(),
                    error = error.to_string(),
                    left_out,
                    "the limits of a client are kept as on_store_error says, since what the store has of \
                     them is no bucket: RateLimiter::reset removes it"
                );
            });
        }
        if error.is_refusal() {
            self.0.refusal.once(|| {
                tracing::error!(
                    policy = policy(),
                    error = error.to_string(),
                    "these limits are kept as on_store_error says until the store takes decisions about \
                     them. This is logged once"
                );
            });
        }
    }
}
