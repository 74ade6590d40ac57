//! How the checks come, and what is measured.

use std::{
    fmt::{self, Display},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use tokio::time::interval;

use crate::compare::Unit;

/// How long a round lasts.
const ROUND: Duration = Duration::from_millis(400);
/// How many checks come each millisecond where they are paced.
const EACH_MILLISECOND: usize = 5;

#[derive(Clone, Copy)]
pub(super) enum Load {
    /// So many are always under way: how many a second are answered.
    InFlight(u16),
    /// Some come each millisecond: how long 99 of 100 take at the most.
    Paced,
}

impl Load {
    pub(super) fn unit(self) -> Unit {
        match self {
            Self::InFlight(_) => Unit::PerSecond,
            Self::Paced => Unit::Microseconds,
        }
    }
}

impl Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFlight(count) => write!(f, "{count} in flight"),
            Self::Paced => write!(f, "{EACH_MILLISECOND},000 a second, 99th percentile"),
        }
    }
}

/// What one round of it is, of checks that say whether they did what they should.
pub(super) async fn measure<F>(load: Load, clients: u32, check: impl Fn(u32) -> F) -> f64
where
    F: Future<Output = bool>,
{
    match load {
        Load::InFlight(count) => per_second(count, clients, check).await,
        Load::Paced => percentile(clients, check).await,
    }
}

/// So many clients, in no order.
fn in_no_order(clients: u32) -> impl Iterator<Item = u32> {
    (0_u32..).map(move |n| n.wrapping_mul(2_654_435_761) % clients)
}

/// How many a second are answered with so many in flight.
async fn per_second<F>(in_flight: u16, clients: u32, check: impl Fn(u32) -> F) -> f64
where
    F: Future<Output = bool>,
{
    let begin = Instant::now();
    let mut answers =
        stream::iter(in_no_order(clients).map(check)).buffer_unordered(in_flight.into());
    let mut answered = 0_u32;
    while let Some(ok) = answers.next().await {
        if !ok {
            return f64::NAN;
        }
        answered += 1;
        if begin.elapsed() >= ROUND {
            break;
        }
    }
    f64::from(answered) / begin.elapsed().as_secs_f64()
}

/// How many microseconds 99 of 100 take at the most, where some come each millisecond.
async fn percentile<F>(clients: u32, check: impl Fn(u32) -> F) -> f64
where
    F: Future<Output = bool>,
{
    let begin = Instant::now();
    let ticks = stream::unfold(interval(Duration::from_millis(1)), async |mut ticks| {
        ticks.tick().await;
        (begin.elapsed() < ROUND).then_some(((), ticks))
    });
    let comes = ticks.flat_map(|()| stream::iter(0..EACH_MILLISECOND));
    let checks = comes.zip(stream::iter(in_no_order(clients))).map(|(_, n)| {
        let check = check(n);
        async move {
            let begin = Instant::now();
            let ok = check.await;
            if ok {
                begin.elapsed().as_secs_f64() * 1e6
            } else {
                f64::NAN
            }
        }
    });
    let mut times: Vec<f64> = checks.buffer_unordered(usize::MAX).collect().await;
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}
