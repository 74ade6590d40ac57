//! A lock for what is done in some ten nanoseconds, that takes one atomic instruction: the standard
//! library's takes two, as whoever unlocks it must know whether somebody sleeps.

#[cfg(not(all(test, shuttle)))]
mod real {
    use std::{hint, thread};

    use spinning_top::{RawSpinlock, lock_api, relax::Relax};

    pub(crate) type SpinLock<T> = lock_api::Mutex<RawSpinlock<Waiting>, T>;
    pub(crate) type SpinGuard<'a, T> = lock_api::MutexGuard<'a, RawSpinlock<Waiting>, T>;

    /// How long somebody has been waiting.
    #[derive(Default)]
    pub(crate) struct Waiting {
        rounds: u32,
    }

    /// So many rounds take longer than what is done under the lock. If it is still held, its holder
    /// does something rare, or was interrupted and wants the processor.
    const ROUNDS: u32 = 64;

    impl Relax for Waiting {
        #[cold]
        fn relax(&mut self) {
            if self.rounds < ROUNDS {
                self.rounds += 1;
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }
}

#[cfg(not(all(test, shuttle)))]
pub(crate) use real::{SpinGuard, SpinLock};

#[cfg(all(test, shuttle))]
mod modelled {
    use std::sync::PoisonError;

    use shuttle::sync::{Mutex, MutexGuard};

    pub(crate) struct SpinLock<T>(Mutex<T>);
    pub(crate) type SpinGuard<'a, T> = MutexGuard<'a, T>;

    impl<T> SpinLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(all(test, shuttle))]
pub(crate) use modelled::{SpinGuard, SpinLock};
