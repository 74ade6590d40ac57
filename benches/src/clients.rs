//! Who is asked about, drawn before the clock runs and the same for every limiter.

/// All of so many clients, each once.
pub fn each(clients: u32) -> Vec<u32> {
    (0..clients).collect()
}

/// Clients in random order, all of them equally often.
pub fn uniform(clients: u32, checks: usize) -> Vec<u32> {
    Random::new()
        .take(checks)
        .map(|random| below(clients, random))
        .collect()
}

/// Clients of whom the n-th most frequent comes 1/n as often as the most frequent.
pub fn zipf(clients: u32, checks: usize) -> Vec<u32> {
    let cumulative: Vec<f64> = (1..=clients)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / f64::from(rank);
            Some(*sum)
        })
        .collect();
    let total = cumulative.last().copied().unwrap_or(0.0);
    Random::new()
        .take(checks)
        .map(|random| {
            let drawn = total * f64::from(random) / (f64::from(u32::MAX) + 1.0);
            let rank = cumulative.partition_point(|sum| *sum <= drawn);
            scattered(rank, clients)
        })
        .collect()
}

/// The frequent ones are not those that came first, which would lie side by side in a store.
fn scattered(rank: usize, clients: u32) -> u32 {
    // A prime that divides no number of clients here, so that each rank is another client.
    const STRIDE: u64 = 2_654_435_761;
    let place = (rank as u64).wrapping_mul(STRIDE) % u64::from(clients);
    u32::try_from(place).unwrap_or(0)
}

fn below(clients: u32, random: u32) -> u32 {
    u32::try_from((u64::from(random) * u64::from(clients)) >> 32).unwrap_or(0)
}

/// Numerical Recipes' generator; its high bits are good enough to jump about.
struct Random(u32);

impl Random {
    fn new() -> Self {
        Self(1)
    }
}

impl Iterator for Random {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(self.0)
    }
}
