//! From accounts to a verdict: by the store, or without it while it cannot be asked.

use super::{
    Inner, RateLimiter,
    account::{Account, Accounts, Verdict},
};
use crate::{
    algorithm::Decision,
    policy::OnStoreError,
    store::{AnyStore, Bucket, StoreError},
};

impl RateLimiter {
    /// Charges all accounts that have a bucket, or none of them.
    pub(super) async fn decide(&self, accounts: &mut Accounts) -> Verdict {
        let charges = accounts.charges(|_| true);
        if charges.is_empty() {
            return Verdict::Admitted;
        }
        match self.ask(|store| store.check_all(&charges)).await {
            Some(decisions) => accounts.note(|_| true, decisions, false),
            None => self.decide_without_store(accounts),
        }
    }

    fn decide_without_store(&self, accounts: &mut Accounts) -> Verdict {
        let mode = |account: &Account| {
            let own = account.policy.on_store_error();
            own.unwrap_or(self.0.on_store_error)
        };
        let denies = |account: &Account| {
            account.charge().is_some_and(|charge| charge.enforced)
                && mode(account) == OnStoreError::Deny
        };
        if accounts.iter().any(denies) {
            return Verdict::StoreDown;
        }
        for account in accounts.iter_mut() {
            account.decision = None;
        }
        let is_local = |account: &Account| mode(account) == OnStoreError::Local;
        let charges = accounts.charges(is_local);
        if charges.is_empty() {
            return Verdict::Admitted;
        }
        accounts.note(is_local, self.0.local.decide(&charges), true)
    }

    /// Takes a cost, or all there is, where the request was charged. `None` if the store cannot be
    /// asked.
    pub(super) async fn charge(&self, bucket: &Bucket, cost: u32, local: bool) -> Option<Decision> {
        if local {
            return Some(self.0.local.take(bucket, cost));
        }
        self.ask(|store| store.charge(bucket, cost)).await
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
            return Some(self.0.local.give_back(bucket, cost, taken));
        }
        self.ask(|store| store.refund(bucket, cost, taken)).await
    }

    /// The store's answer, if it can be asked.
    async fn ask<'a, T, F>(&'a self, question: impl FnOnce(&'a AnyStore) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let Inner {
            store,
            outage,
            clock,
            ..
        } = &*self.0;
        if !outage.may_ask(&**clock) {
            return None;
        }
        match question(store).await {
            Ok(answer) => {
                outage.ended();
                Some(answer)
            }
            Err(error) => {
                outage.began(&error, &**clock);
                None
            }
        }
    }
}
