//! Requests that wait until they are allowed, first come, first served.
//!
//! A request under a policy with `wait` is checked at once only if no other request waits for its
//! bucket. Otherwise the limiter estimates when it will be served, after those that wait: if that is
//! too late the request is rejected at once, and else it queues. Only the first request in a queue is
//! checked again, as soon as it may be allowed. If another limit rejects it then, it moves to the queue
//! of that one.
//!
//! A request takes its place when it is found over the limit. Where the store is elsewhere, requests
//! whose checks are under way at the same time have no order before that.

use std::time::Duration;

use super::{
    Caller, RateLimiter,
    account::{Account, Accounts, Charges, Verdict},
    wait_estimate::Demand,
    wait_queue::{Backlog, Entered, Place, Waiting},
};
use crate::{
    algorithm::Decision,
    budget::Budget,
    client::ClientId,
    clock::micros,
    policy::{Algorithm, Policy, Quota, Tier},
    store::{Bucket, Charge, Decisions, StoreError},
};

/// How often a request looks again at what is ahead of it while others enter the queue.
const TRIES: u32 = 4;

/// A shared store is asked again after this time at most, since another process may have given
/// something back: as often as for a client that is rejected without asking.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Timers fire late, and each request ahead is served a little later for it. A request that was to
/// be served just in time is held for as much longer.
const LATENESS: Duration = Duration::from_millis(10);
const LATENESS_OF_EACH: Duration = Duration::from_millis(2);

impl Account {
    /// The bucket that the request may wait for.
    fn waited_for(&self) -> Option<Bucket> {
        if self.policy.wait().is_none() || self.policy.is_shadow() {
            return None;
        }
        let bucket = self.bucket()?;
        // A cost that never fits in is rejected however long it waits, and one of 0 takes nothing.
        let capacity = bucket.algorithm().capacity(&bucket.quota());
        (1..=capacity).contains(&self.cost).then_some(bucket)
    }
}

impl Accounts {
    fn waited_for(&self) -> impl Iterator<Item = Bucket> {
        self.iter().filter_map(Account::waited_for)
    }

    /// Returns the bucket that rejects the request longest, and what it costs that.
    fn last_to_allow(&self) -> Option<(Bucket, u32)> {
        let denying = self.iter().filter(|account| account.denies());
        let retry_after = |account: &&Account| account.decision.map(|found| found.retry_after);
        let last = denying.max_by_key(retry_after)?;
        Some((last.bucket()?, last.cost))
    }
}

impl RateLimiter {
    /// Whether others wait for one of the request's buckets, so that it must not be checked before
    /// them.
    #[inline]
    pub(super) fn must_queue(&self, accounts: &Accounts) -> bool {
        accounts.may_wait() && self.is_behind_others(accounts)
    }

    // Out of line, since most policies have no `wait`: their checks stay as short as they are without.
    #[cold]
    fn is_behind_others(&self, accounts: &Accounts) -> bool {
        self.0.queue.is_waited_for(accounts.waited_for())
    }

    /// Checks a request, or, if others wait for one of its buckets, estimates when it will be served.
    /// Returns the verdict and those others.
    pub(super) async fn decide_in_order(
        &self,
        accounts: &mut Accounts,
        deadline: Budget,
    ) -> (Verdict, Backlog) {
        if !accounts.may_wait() {
            return (self.decide(accounts, deadline).await, Backlog::default());
        }
        let backlog = self.0.queue.backlog(accounts.waited_for());
        let verdict = self.decide_after(&backlog, accounts, deadline).await;
        (verdict, backlog)
    }

    async fn decide_after(
        &self,
        backlog: &Backlog,
        accounts: &mut Accounts,
        deadline: Budget,
    ) -> Verdict {
        if backlog.is_empty() {
            self.decide(accounts, deadline).await
        } else {
            self.estimate(backlog, accounts, deadline).await
        }
    }

    /// Holds a request that is rejected until it is allowed, if all limits that it is over let it
    /// wait for so long.
    pub(super) async fn wait(
        &self,
        accounts: &mut Accounts,
        mut backlog: Backlog,
        caller: &Caller<'_>,
    ) -> Verdict {
        for tries_left in (0..TRIES).rev() {
            if !accounts.can_be_served_in_time() {
                return Verdict::Limited;
            }
            let Some((bucket, cost)) = accounts.last_to_allow() else {
                return Verdict::Limited;
            };
            let waiting = Waiting {
                bucket,
                cost,
                address: self.address(caller, &bucket),
            };
            let entered = self.0.queue.enter(waiting, &backlog, tries_left == 0);
            match entered {
                Entered::Place(place) => return self.hold(accounts, place).await,
                Entered::Full => return Verdict::Limited,
                Entered::Changed => {
                    let decided = self.decide_in_order(accounts, self.deadline()).await;
                    let verdict;
                    (verdict, backlog) = decided;
                    if verdict != Verdict::Limited {
                        return verdict;
                    }
                }
            }
        }
        Verdict::Limited
    }

    /// Returns the address that a waiting request counts for. If it is not known, that is the client of
    /// the bucket, so that requests of all clients do not count for one.
    fn address(&self, caller: &Caller<'_>, bucket: &Bucket) -> ClientId {
        match self.by_ip(caller) {
            ClientId::UNKNOWN_IP => bucket.client(),
            address => address,
        }
    }

    /// Checks a request again each time that it may be allowed, once all ahead of it are served.
    async fn hold(&self, accounts: &mut Accounts, mut place: Place<'_>) -> Verdict {
        let clock = &self.0.clock;
        let lateness = LATENESS + LATENESS_OF_EACH * place.requests_ahead();
        // A limit that had room when the request came lets it wait from when it rejects it.
        let end = |accounts: &Accounts| {
            let patience = accounts.patience()?.saturating_add(lateness);
            Some(clock.now_micros().saturating_add(micros(patience)))
        };
        let Some(mut until) = end(accounts) else {
            return Verdict::Limited;
        };
        loop {
            let left = Duration::from_micros(until.saturating_sub(clock.now_micros()));
            tokio::select! {
                biased;
                () = place.first() => {}
                () = clock.sleep(left) => {
                    let backlog = place.backlog();
                    return self.decide_after(&backlog, accounts, self.deadline()).await;
                }
            }
            let verdict = self.decide(accounts, self.deadline()).await;
            let (Some(end), Some(retry_after), Some((bucket, cost))) = (
                end(accounts),
                accounts.longest_wait(),
                accounts.last_to_allow(),
            ) else {
                return verdict;
            };
            until = until.min(end);
            if clock.now_micros().saturating_add(micros(retry_after)) > until
                || !place.move_to(bucket, cost, retry_after)
            {
                return verdict;
            }
            let sleep = match self.0.known {
                Some(_) => retry_after.min(LONGEST_SLEEP),
                None => retry_after,
            };
            tokio::select! {
                () = clock.sleep(sleep) => {}
                () = place.woken() => {}
            }
        }
    }

    /// Estimates when a request will be served after the backlog, and notes that in its accounts.
    /// Nothing is taken from the buckets.
    async fn estimate(
        &self,
        backlog: &Backlog,
        accounts: &mut Accounts,
        deadline: Budget,
    ) -> Verdict {
        let demand = |account: &Account| {
            let bucket = account.waited_for()?;
            let costs = backlog.costs(&bucket)?;
            Some(Demand::new(
                bucket.algorithm(),
                bucket.quota(),
                costs,
                account.cost,
            ))
        };
        let look = |account: &Account| {
            let charge = account.charge()?;
            let cost = demand(account).map_or(charge.cost, |demand| demand.look_cost());
            Some(Charge { cost, ..charge })
        };
        let looks: Charges = accounts.iter().filter_map(look).collect();
        let verdict = match self.look_at(&looks, deadline).await {
            Ok(found) => accounts.note(|_| true, found, false),
            Err(error) => {
                self.no_answer(&error, looks.first().map(|look| &look.bucket));
                self.ask_locally(accounts, look, |looks| {
                    self.0.local.decide(&without_effect(looks))
                })
            }
        };
        if verdict == Verdict::StoreDown {
            return verdict;
        }
        let mut is_queued = false;
        for account in accounts.iter_mut() {
            if let (Some(demand), Some(found)) = (demand(account), account.decision) {
                account.decision = Some(served_after(demand.served_after(&found), found));
                is_queued = true;
            }
        }
        if is_queued || verdict == Verdict::Limited {
            return Verdict::Limited;
        }
        // Without the store, and no limit that is kept without it is waited for.
        self.decide(accounts, deadline).await
    }

    /// Returns what the store would decide about each of these charges by itself. Nothing is taken.
    pub(super) async fn look_at(
        &self,
        charges: &[Charge],
        deadline: Budget,
    ) -> Result<Decisions, StoreError> {
        let known = self.0.known.as_ref();
        let now = self.0.clock.now_micros();
        if let Some(denial) = known.and_then(|known| known.denial(charges, now)) {
            return Ok(denial);
        }
        let looks = without_effect(charges);
        let mut decisions = self.0.store.check_all(&looks, deadline).await?;
        decisions.truncate(charges.len());
        if let Some(known) = known {
            known.note(charges, &decisions, now);
        }
        Ok(decisions)
    }
}

impl Accounts {
    /// Returns how long it takes until all limits allow the request; `None` if one never does.
    fn longest_wait(&self) -> Option<Duration> {
        let mut longest = None;
        for account in self.iter().filter(|account| account.denies()) {
            longest = longest.max(Some(account.decision?.retry_after?));
        }
        longest
    }

    fn can_be_served_in_time(&self) -> bool {
        match (self.patience(), self.longest_wait()) {
            (Some(patience), Some(wait)) => wait <= patience,
            _ => false,
        }
    }
}

/// A bucket that is never charged.
static NEVER: Policy = Policy::new(
    "ratelimit::never",
    Algorithm::FixedWindow,
    &[Tier::new("never", Quota::per_second(1))],
);

/// These charges and one more, which is never allowed, so that none of them is taken. A store decides
/// about them all the same. It is the client's, as in Redis Cluster they must be on one server.
fn without_effect(charges: &[Charge]) -> Charges {
    let client = charges
        .first()
        .map_or(ClientId::EVERYBODY, |charge| charge.bucket.client());
    let never = Bucket::new(&NEVER, NEVER.default_tier(), client).map(|bucket| Charge {
        bucket,
        cost: 2,
        enforced: true,
    });
    // A charge that has a say may be taken out of a slice that is leased before the others are asked
    // about.
    let looks = charges.iter().map(|charge| Charge {
        enforced: false,
        ..*charge
    });
    looks.chain(never).collect()
}

/// The decision about a request that is served after this time, by what was found.
fn served_after(time: Duration, found: Decision) -> Decision {
    // Its turn comes after that of others, even if there is room for all of them.
    let time = time.max(Duration::from_micros(1));
    Decision {
        allowed: false,
        remaining: 0,
        retry_after: Some(time),
        reset_after: found.reset_after.max(time),
        ..found
    }
}

#[cfg(test)]
mod tests;
