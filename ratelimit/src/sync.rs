//! What threads share state by: the standard library's, and, in the crate's tests under
//! `--cfg shuttle`, [shuttle](https://docs.rs/shuttle)'s, which runs them in orders of its choice.
//!
//! The tests named `models` are run so, by `tests/run`. To them all that happens has one order: what
//! a processor makes of relaxed atomics they cannot find.

mod spin_lock;

pub(crate) use spin_lock::{SpinGuard, SpinLock};
#[cfg(not(all(test, shuttle)))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic};

/// Runs a model in many orders: in some that are picked at random at each step, and in some in
/// which threads have priorities that change a few times (Burckhardt, Kothari, Musuvathi and
/// Nagarakatte, *A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs*, 2010).
///
/// The seeds are always the same. Of an order that fails, shuttle says how to have it again.
#[cfg(all(test, shuttle))]
pub(crate) fn in_many_orders(model: impl Fn() + Clone + Send + Sync + 'static) {
    use shuttle::{
        Config, Runner,
        scheduler::{PctScheduler, RandomScheduler},
    };

    const SEED: u64 = 1;
    const ORDERS: usize = 1_000;
    const CHANGES: usize = 3;

    let mut config = Config::default();
    // Code that is not optimized needs more than the default.
    config.stack_size = 1 << 18;
    // It would say at each relaxed atomic that it takes it for one that is not.
    config.silence_warnings = true;
    let random = RandomScheduler::new_from_seed(SEED, ORDERS);
    Runner::new(random, config.clone()).run(model.clone());
    let by_priorities = PctScheduler::new_from_seed(SEED, CHANGES, ORDERS);
    Runner::new(by_priorities, config).run(model);
}
