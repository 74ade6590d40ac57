//! FNV-1a in `const` context: identities of policies and tiers, computed by the compiler.
//!
//! Fowler, Noll, Vo: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>. Only what the
//! application's own source says is hashed with it, never anything that a client sends.

pub(crate) const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Continues `hash` over `bytes` and their length, so that ("ab", "c") is not ("a", "bc").
pub(crate) const fn hash(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(PRIME);
        i += 1;
    }
    (hash ^ bytes.len() as u64).wrapping_mul(PRIME)
}
