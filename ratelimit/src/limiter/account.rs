//! What a request is charged to under its policies, and what that comes to.

use std::{cmp::Reverse, iter, time::Duration};

use smallvec::SmallVec;

use crate::{
    algorithm::Decision,
    client::ClientId,
    policy::{Policy, Tier},
    store::{Bucket, Charge, Decisions, MemoryStore},
};

/// What becomes of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admitted,
    Limited,
    /// The store cannot be asked, and a policy says that then nobody is admitted.
    StoreDown,
}

/// Why a request is not limited, whatever its caller's tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exemption {
    /// The policy says so, or the network that it comes from.
    Exempt,
    /// The limits are turned off, for all or for this request.
    Bypass,
}

/// One policy's part in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) policy: &'static Policy,
    pub(crate) tier: &'static Tier,
    /// Why the request is not limited, if that is not for its tier.
    pub(crate) exemption: Option<Exemption>,
    /// `None` where the request is not limited: on an unlimited tier, or exempt.
    pub(crate) client: Option<ClientId>,
    pub(crate) cost: u32,
    /// The cost has been given back.
    pub(super) is_refunded: bool,
    /// `None` where nothing was decided.
    pub(crate) decision: Option<Decision>,
    /// The decision was taken in this process because the store could not be asked.
    pub(crate) local: bool,
}

impl Account {
    /// The account of a request that is not limited, by this tier or at all.
    pub(super) fn unlimited(
        policy: &'static Policy,
        tier: &'static Tier,
        exemption: Option<Exemption>,
    ) -> Self {
        Self {
            policy,
            tier,
            exemption,
            client: None,
            cost: 0,
            is_refunded: false,
            decision: None,
            local: false,
        }
    }

    /// `None` where the request is not limited.
    #[inline]
    pub(crate) fn bucket(&self) -> Option<Bucket> {
        Bucket::new(self.policy, self.tier, self.client?)
    }

    pub(crate) fn charge(&self) -> Option<Charge> {
        Some(Charge {
            bucket: self.bucket()?,
            cost: self.cost,
            enforced: !self.policy.is_shadow(),
        })
    }

    /// Whether this is why the request is turned away.
    #[inline]
    pub(crate) fn denies(&self) -> bool {
        !self.policy.is_shadow() && self.decision.is_some_and(|decision| !decision.allowed)
    }
}

impl Account {
    /// What is smaller is tighter: rejected before allowed, what is rejected longest first, then what
    /// allows the fewest more requests of this one's cost, and of those what takes longest to be whole
    /// again. `None` if it does not limit.
    pub(super) fn tightness(&self) -> Option<impl Ord + use<>> {
        if self.policy.is_shadow() {
            return None;
        }
        let decision = self.decision?;
        let never = Duration::MAX;
        let wait = self.denies().then(|| decision.retry_after.unwrap_or(never));
        // A request that costs nothing here fits in without end.
        let more_requests = decision.remaining.checked_div(self.cost);
        let more_requests = more_requests.unwrap_or(u32::MAX);
        let reset_after = Reverse(decision.reset_after);
        Some((
            Reverse(wait),
            more_requests,
            reset_after,
            decision.remaining,
        ))
    }
}

/// The accounts of one request, one for each policy, of which there is at least one. Most requests have
/// no more, which is no reason to allocate, nor to ask at each step how many there are.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    first: Account,
    /// As a list, which takes next to no room where there are none.
    others: Option<Box<Accounts>>,
}

/// What a request is charged with.
pub(super) type Charges = SmallVec<[Charge; 1]>;

impl Accounts {
    pub(super) fn of(first: Account) -> Self {
        Self {
            first,
            others: None,
        }
    }

    /// Adds an account. What is charged to one bucket is charged once, by whatever policies.
    pub(super) fn add(&mut self, account: Account) {
        let is_known = |other: &Account| {
            account.client.is_some()
                && other.client == account.client
                && other.bucket() == account.bucket()
        };
        if self.iter().any(is_known) {
            return;
        }
        let mut others = &mut self.others;
        while let Some(next) = others {
            others = &mut next.others;
        }
        *others = Some(Box::new(Self::of(account)));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Account> {
        iter::successors(Some(self), |accounts| accounts.others.as_deref())
            .map(|accounts| &accounts.first)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        let mut rest = Some(self);
        iter::from_fn(move || {
            let Self { first, others } = rest.take()?;
            rest = others.as_deref_mut();
            Some(first)
        })
    }

    /// The charges of those that `is_meant`.
    pub(super) fn charges(&self, is_meant: impl Fn(&Account) -> bool) -> Charges {
        let meant = self.iter().filter(|account| is_meant(account));
        meant.filter_map(Account::charge).collect()
    }

    /// Writes the decisions about these charges into their accounts, and says what they come to.
    pub(super) fn note(
        &mut self,
        was_meant: impl Fn(&Account) -> bool,
        decisions: Decisions,
        local: bool,
    ) -> Verdict {
        let charged = self
            .iter_mut()
            .filter(|account| account.client.is_some() && was_meant(account));
        for (account, decision) in charged.zip(decisions) {
            account.decision = Some(decision);
            account.local = local;
        }
        if self.iter().any(Account::denies) {
            Verdict::Limited
        } else {
            Verdict::Admitted
        }
    }

    /// The verdict of a store in memory.
    #[inline]
    pub(super) fn decide_in(&mut self, store: &MemoryStore) -> Verdict {
        // Nearly every request has one account, which needs no lists of charges and decisions.
        if self.others.is_none() {
            let account = &mut self.first;
            if let Some(bucket) = account.bucket() {
                account.decision = Some(store.decide_one(&bucket, account.cost));
            }
            return if account.denies() {
                Verdict::Limited
            } else {
                Verdict::Admitted
            };
        }
        let charges = self.charges(|_| true);
        if charges.is_empty() {
            return Verdict::Admitted;
        }
        self.note(|_| true, store.decide(&charges), false)
    }

    /// Whether a policy lets requests wait at all.
    #[inline]
    pub(super) fn may_wait(&self) -> bool {
        let may_wait = |account: &Account| account.policy.wait().is_some();
        may_wait(&self.first) || (self.others.is_some() && self.iter().any(may_wait))
    }

    /// How long the request may wait: as long as every limit that it is over lets it. `None` where
    /// one of them does not, and where it is over none.
    pub(super) fn patience(&self) -> Option<Duration> {
        let denying = self.iter().filter(|account| account.denies());
        let mut waits = denying.map(|account| account.policy.wait());
        let first = waits.next()??;
        waits.try_fold(first, |least, wait| Some(least.min(wait?)))
    }

    /// The account that says most about what the caller may still do.
    #[inline]
    pub(crate) fn tightest(&self) -> &Account {
        if self.others.is_none() {
            return &self.first;
        }
        let limiting = self.iter().filter(|account| account.tightness().is_some());
        limiting
            .min_by_key(|account| account.tightness())
            .unwrap_or(&self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Algorithm, Quota};

    const TIERS: &[Tier] = &[
        Tier::new("free", Quota::per_minute(5)),
        Tier::unlimited("internal"),
    ];
    static FIRST: Policy = Policy::new("first", Algorithm::FixedWindow, TIERS);
    static SECOND: Policy = Policy::new("second", Algorithm::FixedWindow, TIERS);

    fn account(policy: &'static Policy, client: &str) -> Account {
        Account {
            client: Some(ClientId::value(client)),
            cost: 1,
            ..Account::unlimited(policy, policy.default_tier(), None)
        }
    }

    fn unlimited(policy: &'static Policy) -> Account {
        Account::unlimited(policy, policy.tier("internal"), None)
    }

    fn decision(allowed: bool, wait: u64) -> Decision {
        Decision {
            allowed,
            remaining: 0,
            retry_after: (!allowed).then(|| Duration::from_secs(wait)),
            reset_after: Duration::from_secs(60),
            at_micros: 0,
        }
    }

    #[test]
    fn a_bucket_is_charged_once_and_another_by_itself() {
        let mut accounts = Accounts::of(account(&FIRST, "alice"));
        for (account, charged) in [
            (account(&FIRST, "alice"), 1),
            (account(&FIRST, "bob"), 2),
            (account(&SECOND, "alice"), 3),
            (account(&FIRST, "bob"), 3),
            (unlimited(&SECOND), 3),
        ] {
            accounts.add(account);
            assert_eq!(accounts.charges(|_| true).len(), charged);
        }
    }

    #[test]
    fn decisions_are_noted_of_the_accounts_that_were_charged() {
        let mut accounts = Accounts::of(unlimited(&FIRST));
        accounts.add(account(&FIRST, "alice"));
        accounts.add(account(&SECOND, "alice"));
        let is_second = |account: &Account| account.policy.name() == "second";
        let decisions = Decisions::from_slice(&[decision(false, 9)]);
        let verdict = accounts.note(is_second, decisions, true);
        assert_eq!(verdict, Verdict::Limited);
        let noted = accounts.iter().map(|account| {
            let allowed = account.decision.map(|decision| decision.allowed);
            (allowed, account.local)
        });
        let noted: Vec<_> = noted.collect();
        assert_eq!(noted, [(None, false), (None, false), (Some(false), true)]);

        let decisions = Decisions::from_slice(&[decision(true, 0); 2]);
        let verdict = accounts.note(|_| true, decisions, false);
        assert_eq!(verdict, Verdict::Admitted);
        let charged = accounts.iter().map(|account| account.decision.is_some());
        assert_eq!(charged.collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn the_tightest_is_the_one_that_allows_the_fewest_more_of_such_requests() {
        for (left, costs, resets, expected) in [
            ([97, 750], [1, 50], [60, 60], "second"),
            ([97, 750], [1, 1], [60, 60], "first"),
            ([750, 97], [50, 1], [60, 60], "first"),
            // None fits into either: what takes longest to be whole again.
            ([40, 10], [50, 50], [10, 60], "second"),
            ([40, 10], [50, 50], [60, 60], "second"),
            ([5, 5], [1, 1], [60, 60], "first"),
            // A request that costs nothing somewhere is not held up there.
            ([0, 5], [0, 1], [60, 60], "second"),
            ([3, 5], [0, 0], [60, 60], "first"),
        ] {
            let [first, second] =
                [(&FIRST, 0), (&SECOND, 1)].map(|(policy, n): (_, usize)| Account {
                    cost: costs[n],
                    decision: Some(Decision {
                        remaining: left[n],
                        reset_after: Duration::from_secs(resets[n]),
                        ..decision(true, 0)
                    }),
                    ..account(policy, "alice")
                });
            let mut accounts = Accounts::of(first);
            accounts.add(second);
            let tightest = accounts.tightest().policy.name();
            assert_eq!(tightest, expected, "{left:?} {costs:?} {resets:?}");
        }
    }

    #[test]
    fn the_tightest_is_the_one_that_rejects_longest() {
        let mut accounts = Accounts::of(account(&FIRST, "alice"));
        accounts.add(account(&SECOND, "alice"));
        for (decisions, expected) in [
            ([decision(true, 0), decision(false, 1)], "second"),
            ([decision(false, 2), decision(false, 1)], "first"),
            ([decision(false, 2), decision(false, 3)], "second"),
        ] {
            let _ = accounts.note(|_| true, Decisions::from_slice(&decisions), false);
            assert_eq!(accounts.tightest().policy.name(), expected);
        }
    }
}
