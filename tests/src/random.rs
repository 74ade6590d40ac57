//! Chance that can be had again.

/// A small generator, so that a failing test's trace can be had again from its seed (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The trace of a seed that is not 0.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number that is smaller.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}
