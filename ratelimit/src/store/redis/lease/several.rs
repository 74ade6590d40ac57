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

impl RedisStore {
    /// One decision for each charge; all that are enforced admit the request, or nothing is taken.
    pub(in super::super) async fn check_several(
        &self,
        charges: &[Charge],
        deadline: Budget,
    ) -> Result<Decisions, StoreError> {
        let mut spent: Vec<Option<Decision>> = Vec::with_capacity(charges.len());
        for charge in charges {
            let decision = match self.ask_slice(charge, deadline).await {
                Ok(decision) => decision,
                Err(error) => {
                    self.undo(charges, &spent);
                    return Err(error);
                }
            };
            spent.push(decision);
            if decision.is_some_and(|decision| !decision.allowed) {
                return self.turned_away(charges, spent, deadline).await;
            }
        }
        let rest: Vec<Charge> = charges
            .iter()
            .zip(&spent)
            .filter(|(_, spent)| spent.is_none())
            .map(|(charge, _)| Charge {
                bucket: self.leases.books(&charge.bucket),
                ..*charge
            })
            .collect();
        let asked = match self.ask_together(&rest, deadline).await {
            Ok(decisions) => decisions,
            Err(error) => {
                self.undo(charges, &spent);
                return Err(error);
            }
        };
        let denies =
            |(charge, decision): (&Charge, &Decision)| charge.enforced && !decision.allowed;
        if rest.iter().zip(&asked).any(denies) {
            self.undo(charges, &spent);
            for (charge, decision) in charges.iter().zip(&mut spent) {
                if let Some(decision) = decision {
                    decision.remaining = decision.remaining.saturating_add(charge.cost);
                }
            }
        }
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
                self.shard.pool.check_placement(several)?;
                self.run(deadline).check_all(several).await
            }
        }
    }

    /// The decisions where the last of those that were charged to slices turns the request away. The
    /// rest are only looked at.
    async fn turned_away(
        &self,
        charges: &[Charge],
        spent: Vec<Option<Decision>>,
        deadline: Budget,
    ) -> Result<Decisions, StoreError> {
        self.undo(charges, &spent);
        let mut decisions = Decisions::new();
        let spent = spent.into_iter().chain(std::iter::repeat(None));
        for (charge, spent) in charges.iter().zip(spent) {
            decisions.push(match spent {
                Some(decision) if decision.allowed => Decision {
                    remaining: decision.remaining.saturating_add(charge.cost),
                    ..decision
                },
                Some(denial) => denial,
                None => self.check_one(&charge.bucket, 0, deadline).await?,
            });
        }
        Ok(decisions)
    }

    fn undo(&self, charges: &[Charge], spent: &[Option<Decision>]) {
        for (charge, decision) in charges.iter().zip(spent) {
            if let Some(decision) = decision.filter(|decision| decision.allowed)
                && let Some(held) = self.leases.known(&charge.bucket)
            {
                self.put_back(&held, charge.cost, &decision);
            }
        }
    }
}
