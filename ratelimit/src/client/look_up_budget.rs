//! How many look-ups of unknown API keys each client address may cause.
//!
//! A look-up is reserved before it begins, so that look-ups at the same time cannot exceed the budget
//! together, and settled when it ends. Only an unknown key stays charged.

use std::{convert::Infallible, sync::Arc, sync::PoisonError, time::Duration};

use quick_cache::sync::Cache;
use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};

use super::ClientId;
use crate::{
    algorithm::State,
    clock::Clock,
    policy::{Algorithm, Quota, QuotaError},
    sync::{Mutex, MutexGuard},
};

/// The number of addresses whose budgets are kept. An address that is evicted begins again with a full
/// one, so that the bound holds for an attacker with fewer addresses.
const MAX_ADDRESSES: usize = 10_000;

/// The budgets of all addresses, of one limiter in one process.
pub(super) struct LookUpBudget {
    addresses: Cache<ClientId, Arc<AddressBudget>>,
    quotas: LookUpQuotas,
    clock: Arc<dyn Clock>,
}

/// The highest number of look-ups that are charged to an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LookUpQuotas {
    /// Of keys that turn out to be unknown.
    unknown: Quota,
    /// Of look-ups that fail. They are forgotten within a second, so that the callers at an address
    /// are looked up soon after an outage of the resolver.
    failed: Quota,
}

impl LookUpQuotas {
    /// The default is one a second for each address: enough for applications with a few expired keys
    /// that retry every 5 seconds, and useless to guess keys with that are not cached.
    pub(crate) const DEFAULT: Self = Self {
        unknown: Quota::per_minute(60),
        failed: Quota::per_second(60),
    };

    /// Allows `keys` unknown keys a minute.
    ///
    /// # Errors
    ///
    /// Returns an error if there are none, or more than 1,000,000.
    pub(crate) fn per_minute(keys: u32) -> Result<Self, QuotaError> {
        Ok(Self {
            unknown: Quota::try_new(keys, Duration::from_secs(60))?,
            failed: Quota::try_new(keys, Duration::from_secs(1))?,
        })
    }
}

/// The budget of one address.
struct AddressBudget {
    account: Mutex<Account>,
    /// Notifies one of the requests that wait for a look-up of another to be settled.
    settled: Notify,
}

struct Account {
    unknown: State,
    failed: State,
    in_flight: u32,
    ended: Ended,
}

/// The numbers of look-ups that have ended. Those whose clients went away are in neither.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ended {
    answered: u64,
    unanswered: u64,
}

impl Ended {
    /// Returns whether none was answered since then.
    pub(super) fn has_no_answer_since(self, before: Self) -> bool {
        self.answered == before.answered
    }

    /// Returns whether some were waited for in vain since then, and none was answered.
    pub(super) fn is_unanswered_since(self, before: Self) -> bool {
        self.has_no_answer_since(before) && self.unanswered > before.unanswered
    }
}

/// The end of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookUpEnd {
    Known,
    Unknown,
    /// The resolver has answered with an error.
    Failed,
    /// It has not answered in time.
    Unanswered,
}

/// An address that has used up its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreserved {
    /// Look-ups in flight may return some of it.
    Busy,
    Exhausted,
}

impl LookUpBudget {
    pub(super) fn new(quotas: LookUpQuotas, clock: Arc<dyn Clock>) -> Self {
        Self {
            addresses: Cache::new(MAX_ADDRESSES),
            quotas,
            clock,
        }
    }

    /// Returns the budget of an address.
    pub(super) fn of(&self, address: ClientId) -> AddressLookUps {
        let new = || {
            Ok::<_, Infallible>(Arc::new(AddressBudget {
                account: Mutex::new(Account {
                    unknown: State::new(Algorithm::TokenBucket),
                    failed: State::new(Algorithm::TokenBucket),
                    in_flight: 0,
                    ended: Ended::default(),
                }),
                settled: Notify::new(),
            }))
        };
        let Ok(budget) = self.addresses.get_or_insert_with(&address, new);
        AddressLookUps {
            budget,
            quotas: self.quotas,
            clock: self.clock.clone(),
        }
    }

    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        self.addresses.len()
    }
}

/// The look-ups of one address.
#[derive(Clone)]
pub(super) struct AddressLookUps {
    budget: Arc<AddressBudget>,
    quotas: LookUpQuotas,
    clock: Arc<dyn Clock>,
}

impl AddressLookUps {
    /// Reserves a look-up that ends by the deadline.
    pub(super) fn reserve(&self, deadline: Instant) -> Result<Reservation, Unreserved> {
        let now = self.clock.now_micros();
        let mut account = self.lock();
        let is_in_flight = account.in_flight > 0;
        let failures = account.in_flight.saturating_add(1);
        let may_fail = account.failed.peek(&self.quotas.failed, failures, now);
        if !may_fail.allowed || !account.unknown.check(&self.quotas.unknown, 1, now).allowed {
            return Err(if is_in_flight {
                Unreserved::Busy
            } else {
                Unreserved::Exhausted
            });
        }
        account.in_flight += 1;
        Ok(Reservation {
            look_ups: self.clone(),
            reserved_at: now,
            deadline,
            has_begun: false,
            end: None,
        })
    }

    /// Returns how many look-ups have ended.
    pub(super) fn ended(&self) -> Ended {
        self.lock().ended
    }

    /// Returns a future that ends when a look-up was settled after this call.
    pub(super) fn settled(&self) -> Notified<'_> {
        self.budget.settled.notified()
    }

    /// Hands a notification on, by a request that makes no use of it.
    pub(super) fn notify_next(&self) {
        self.budget.settled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        let account = self.budget.account.lock();
        account.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look-up that is charged to an address until it is settled, which dropping it does.
///
/// One that is dropped in flight is charged as that of an unknown key: otherwise a client could have
/// any number of keys looked up by going away before the answers.
pub(super) struct Reservation {
    look_ups: AddressLookUps,
    reserved_at: u64,
    deadline: Instant,
    has_begun: bool,
    end: Option<LookUpEnd>,
}

impl Reservation {
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Marks the look-up as begun.
    pub(super) fn begun(mut self) -> Self {
        self.has_begun = true;
        self
    }

    /// Settles the look-up.
    pub(super) fn settle(mut self, end: LookUpEnd) {
        self.end = Some(end);
    }

    fn end(&self) -> LookUpEnd {
        match self.end {
            Some(end) => end,
            // Nothing was asked of the resolver.
            None if !self.has_begun => LookUpEnd::Known,
            None if Instant::now() >= self.deadline => LookUpEnd::Unanswered,
            None => LookUpEnd::Unknown,
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let end = self.end();
        let AddressLookUps { quotas, clock, .. } = &self.look_ups;
        let now = clock.now_micros();
        {
            let mut account = self.look_ups.lock();
            account.in_flight = account.in_flight.saturating_sub(1);
            if end != LookUpEnd::Unknown {
                account
                    .unknown
                    .refund(&quotas.unknown, 1, self.reserved_at, now);
            }
            if matches!(end, LookUpEnd::Failed | LookUpEnd::Unanswered) {
                account.failed.charge(&quotas.failed, 1, now);
            }
            if end == LookUpEnd::Unanswered {
                account.ended.unanswered += 1;
            } else if self.end.is_some() {
                account.ended.answered += 1;
            }
        }
        self.look_ups.notify_next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const KEYS: u32 = 4;

    struct Setup {
        budget: LookUpBudget,
        clock: ManualClock,
    }

    fn setup() -> Setup {
        let clock = ManualClock::new();
        let quotas = LookUpQuotas::per_minute(KEYS).expect("a budget");
        Setup {
            budget: LookUpBudget::new(quotas, Arc::new(clock.clone())),
            clock,
        }
    }

    impl Setup {
        fn reserve(&self, address: u8) -> Result<Reservation, Unreserved> {
            let address = ClientId::ip([203, 0, 113, address].into());
            self.budget
                .of(address)
                .reserve(later())
                .map(Reservation::begun)
        }

        /// How many look-ups of this end can begin one after the other, of ten.
        fn reserved(&self, address: u8, end: LookUpEnd) -> usize {
            let reserve = |_: &u8| match self.reserve(address) {
                Ok(reservation) => {
                    reservation.settle(end);
                    true
                }
                Err(error) => {
                    assert_eq!(error, Unreserved::Exhausted);
                    false
                }
            };
            (0..10).filter(reserve).count()
        }
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn unknown_keys_use_up_the_budget_of_their_address_and_come_back_with_time() {
        let setup = setup();
        assert_eq!(setup.reserved(1, LookUpEnd::Known), 10);
        assert_eq!(setup.reserved(1, LookUpEnd::Unknown), 4);
        assert_eq!(setup.reserved(1, LookUpEnd::Known), 0);
        assert_eq!(setup.reserved(2, LookUpEnd::Unknown), 4, "another address");
        setup.clock.advance(Duration::from_secs(15));
        assert_eq!(setup.reserved(1, LookUpEnd::Known), 10);
        assert_eq!(setup.reserved(1, LookUpEnd::Unknown), 1);
        setup.clock.advance(Duration::from_secs(3_600));
        assert_eq!(setup.reserved(1, LookUpEnd::Unknown), 4);
    }

    #[test]
    fn look_ups_that_fail_are_charged_for_a_second() {
        let setup = setup();
        for _ in 0..5 {
            assert_eq!(setup.reserved(1, LookUpEnd::Failed), 4);
            assert_eq!(setup.reserved(1, LookUpEnd::Known), 0);
            setup.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(setup.reserved(1, LookUpEnd::Unknown), 4);
    }

    #[test]
    fn look_ups_in_flight_do_not_exceed_the_budget() {
        let setup = setup();
        let mut in_flight: Vec<_> = (0..4)
            .map(|_| setup.reserve(1).expect("a look-up"))
            .collect();
        assert_eq!(setup.reserve(1).err(), Some(Unreserved::Busy));
        in_flight.pop().expect("one").settle(LookUpEnd::Known);
        in_flight.push(setup.reserve(1).expect("the one that was returned"));
        assert_eq!(setup.reserve(1).err(), Some(Unreserved::Busy));
        for reservation in in_flight {
            reservation.settle(LookUpEnd::Unknown);
        }
        assert_eq!(setup.reserve(1).err(), Some(Unreserved::Exhausted));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_up_that_is_dropped_is_charged_unless_it_had_failed_or_not_begun() {
        let setup = setup();
        let address = setup.budget.of(ClientId::ip([203, 0, 113, 1].into()));
        for _ in 0..10 {
            drop(address.reserve(later()).expect("none has begun"));
        }
        for _ in 0..10 {
            let late = setup.reserve(1).expect("a look-up");
            tokio::time::advance(Duration::from_secs(60)).await;
            drop(late);
            setup.clock.advance(Duration::from_secs(1));
        }
        for _ in 0..4 {
            drop(setup.reserve(1).expect("a look-up"));
        }
        assert_eq!(setup.reserve(1).err(), Some(Unreserved::Exhausted));
    }

    #[tokio::test]
    async fn a_request_that_waits_is_notified_when_a_look_up_is_settled() {
        let setup = setup();
        let address = setup.budget.of(ClientId::ip([203, 0, 113, 1].into()));
        let one = setup.reserve(1).expect("a look-up");
        let settled = address.settled();
        one.settle(LookUpEnd::Known);
        settled.await;
    }

    #[test]
    fn it_is_bounded() {
        let setup = setup();
        for n in 0..50_000_u32 {
            let address = ClientId::ip(n.to_be_bytes().into());
            drop(setup.budget.of(address).reserve(later()));
        }
        assert!(setup.budget.addresses() <= MAX_ADDRESSES);
    }

    #[test]
    fn the_default_is_sixty_a_minute() {
        let sixty = LookUpQuotas::per_minute(60).expect("a budget");
        assert_eq!(sixty.unknown, LookUpQuotas::DEFAULT.unknown);
        assert_eq!(sixty.failed, LookUpQuotas::DEFAULT.failed);
        assert!(LookUpQuotas::per_minute(1_000_000).is_ok());
        assert!(LookUpQuotas::per_minute(1_000_001).is_err());
        assert!(LookUpQuotas::per_minute(0).is_err());
    }
}
