//! The limiters that are compared, all of them asked the same way.

mod handlers;
mod ours;
mod peers;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use self::{
    handlers::{annotated_handler, bare_handler, governed_handler},
    ours::{fixed_window, rate_limiter, sliding_window, token_bucket, unobserved},
    peers::{axum_gcra, governor, trypema},
};
use crate::clients;

/// Makes a limiter under such terms. Its clients are unknown to it.
pub type Make = fn(&Terms) -> Limiter;

/// Everyone who can be asked about a client by its address, outside of a request. The first is what
/// the others are compared with.
pub const EVERYBODY: [Make; 7] = [
    governor,
    axum_gcra,
    trypema,
    token_bucket,
    sliding_window,
    fixed_window,
    rate_limiter,
];

/// So long that nothing is earned back, and nobody forgotten, while figures are taken.
const PER: Duration = Duration::from_hours(365 * 24);

/// What a limiter has to cope with.
pub struct Terms {
    /// How many buckets a store with a capacity has room for.
    pub capacity: u32,
    /// How much each client has.
    pub limit: u32,
}

impl Terms {
    /// Room for all of so many clients, and for as many requests of each as a sliding window
    /// remembers, which must be more than any of them makes.
    ///
    /// The shares of a store that is divided by hash are not equally large, so it needs a bit more.
    pub fn plenty(clients: u32) -> Self {
        Self {
            capacity: (clients + clients / 4).max(1_000_000),
            limit: 131_072,
        }
    }

    /// One request for each client.
    pub fn used_up(clients: u32) -> Self {
        Self {
            limit: 1,
            ..Self::plenty(clients)
        }
    }
}

/// Asks about each of these clients, and says how many were admitted.
type Check = dyn Fn(&[u32]) -> usize + Sync;

/// One that is asked about clients by their number.
pub struct Limiter {
    /// Whose it is, and which.
    pub name: String,
    check: Box<Check>,
}

impl Limiter {
    fn new(name: impl Into<String>, admits: impl Fn(u32) -> bool + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            check: Box::new(move |clients| clients.iter().filter(|n| admits(**n)).count()),
        }
    }

    /// Asks about each of them, and says how many were admitted.
    pub fn check(&self, clients: &[u32]) -> usize {
        (self.check)(clients)
    }

    /// Has it know so many clients.
    #[must_use]
    pub fn knowing(self, clients: u32) -> Self {
        self.check(&clients::each(clients));
        self
    }

    /// Nanoseconds for each check where threads share the work. It is no number if it admitted
    /// others than it should, which would be another measurement.
    pub fn time(&self, clients: &[u32], threads: usize, admitted: usize) -> f64 {
        let begin = Instant::now();
        let counted: usize = thread::scope(|scope| {
            let share = clients.len().div_ceil(threads);
            let others: Vec<_> = clients[share..]
                .chunks(share)
                .map(|share| scope.spawn(|| self.check(share)))
                .collect();
            let mine = self.check(&clients[..share]);
            let others = others.into_iter().map(|thread| thread.join().unwrap_or(0));
            mine + others.sum::<usize>()
        });
        let nanoseconds = begin.elapsed().as_secs_f64() * 1e9;
        if counted != admitted {
            return f64::NAN;
        }
        nanoseconds / f64::from(u32::try_from(clients.len()).unwrap_or(u32::MAX))
    }
}
