//! A request under several limits of which some are leased.
//!
//! What is leased is charged to its slice first; the others are asked about together, as if they were
//! all there are. Where they turn the request away, the slices get back what was theirs. (In a
//! cluster that goes also where the buckets are on several servers, as a client's and everybody's
//! are.)

use super::RedisStore;
use crate::{
    algorithm::Decision,
    budget::Budget,
    store::{Charge, Decisions, StoreError},
};

/// What the slices have been charged for a request. It goes back when this is dropped, unless the
/// request is allowed: an error or a cancellation loses nothing of a slice.
struct Reservation<'a> {
    store: &'a RedisStore,
    charges: &'a [Charge],
    /// One for each charge so far, `None` if it was not made to a slice.
    spent: Vec<Option<Decision>>,
}

impl Reservation<'_> {
    /// The decisions of a request that is allowed, which keep what was charged.
    fn into_spent(mut self) -> Vec<Option<Decision>> {
        std::mem::take(&mut self.spent)
    }

    /// The decisions of a request that is rejected, as they are once all has gone back.
    fn into_unspent(self) -> Vec<Option<Decision>> {
        let charged = self.charges.iter().zip(&self.spent);
        let unspent = |(charge, spent): (&Charge, &Option<Decision>)| {
            let mut decision = (*spent)?;
            if decision.allowed {
                decision.remaining = decision.remaining.saturating_add(charge.cost);
            }
            Some(decision)
        };
        charged.map(unspent).collect()
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        for (charge, decision) in self.charges.iter().zip(&self.spent) {
            if let Some(decision) = decision.filter(|decision| decision.allowed)
                && let Some(held) = self.store.leases.known(&charge.bucket)
            {
                self.store.put_back(&held, charge.cost, &decision);
            }
        }
    }
}

impl RedisStore {
    /// One decision for each charge; all that are enforced admit the request, or nothing is taken.
    pub(in super::super) async fn check_several(
        &self,
        charges: &[Charge],
        deadline: Budget,
    ) -> Result<Decisions, StoreError> {
        let mut reserved = Reservation {
            store: self,
            charges,
            spent: Vec::with_capacity(charges.len()),
        };
        for charge in charges {
            let decision = self.ask_slice(charge, deadline).await?;
            reserved.spent.push(decision);
            if let Some(denial) = decision.filter(|decision| !decision.allowed) {
                let spent = reserved.into_unspent();
                return Ok(self.rejection(charges, spent, denial, deadline).await);
            }
        }
        let rest: Vec<Charge> = charges
            .iter()
            .zip(&reserved.spent)
            .filter(|(_, spent)| spent.is_none())
            .map(|(charge, _)| Charge {
                bucket: self.leases.books(&charge.bucket),
                ..*charge
            })
            .collect();
        let asked = self.ask_together(&rest, deadline).await?;
        let denies =
            |(charge, decision): (&Charge, &Decision)| charge.enforced && !decision.allowed;
        let spent = if rest.iter().zip(&asked).any(denies) {
            reserved.into_unspent()
        } else {
            reserved.into_spent()
        };
        let mut asked = asked.into_iter();
        let decision = |(charge, spent): (&Charge, Option<Decision>)| match spent {
            Some(decision) => Some(decision),
            None => Some(self.with_slice(&charge.bucket, asked.next()?)),
        };
        Ok(charges.iter().zip(spent).filter_map(decision).collect())
    }

    /// The decision about a charge that is leased and has a say.
    async fn ask_slice(
        &self,
        charge: &Charge,
        deadline: Budget,
    ) -> Result<Option<Decision>, StoreError> {
        let Charge {
            bucket,
            cost,
            enforced,
        } = charge;
        if *cost == 0 || !enforced {
            return Ok(None);
        }
        match self.leases.held(bucket) {
            None => Ok(None),
            Some(held) => self.check_leased(&held, *cost, deadline).await.map(Some),
        }
    }

    async fn ask_together(
        &self,
        charges: &[Charge],
        deadline: Budget,
    ) -> Result<Decisions, StoreError> {
        match charges {
            [] => Ok(Decisions::new()),
            [one] => {
                let decision = self.run(deadline).check(&one.bucket, one.cost).await?;
                Ok(Decisions::from_buf([decision]))
            }
            several => {
                let placement = self.deployment.placement(deadline).await?;
                placement.check(several)?;
                self.run(deadline).check_all(several).await
            }
        }
    }

    /// The decisions about a request that `denial` rejects, which is the last of those that `spent`
    /// has. The other buckets are only looked at.
    async fn rejection(
        &self,
        charges: &[Charge],
        spent: Vec<Option<Decision>>,
        denial: Decision,
        deadline: Budget,
    ) -> Decisions {
        // What is rejected stays so if Redis does not answer any more: as an error it would be
        // decided in this process, which might allow it.
        let unknown = Decision {
            allowed: true,
            remaining: 0,
            retry_after: None,
            reset_after: denial.retry_after.unwrap_or(denial.reset_after),
            at_micros: denial.at_micros,
        };
        let mut decisions = Decisions::new();
        let mut can_look = true;
        let spent = spent.into_iter().chain(std::iter::repeat(None));
        for (charge, spent) in charges.iter().zip(spent) {
            decisions.push(match spent {
                Some(decision) => decision,
                None if can_look => match self.check_one(&charge.bucket, 0, deadline).await {
                    Ok(decision) => decision,
                    Err(error) => {
                        can_look = error.is_of_one_bucket();
                        unknown
                    }
                },
                None => unknown,
            });
        }
        decisions
    }
}
