//! The share of its quota that a client has used, to compare clients under different quotas.

/// A share of a capacity, in units of 2^-32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u64);

/// A capacity to three digits: what a state has room for besides what it decides by.
///
/// It is a floating-point number of 16 bits, rounded down by less than 0.2 %. The upper 6 are an
/// exponent of 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RoundedCapacity(u16);

const MANTISSA_BITS: u32 = 10;
const MANTISSA: u16 = (1 << MANTISSA_BITS) - 1;

const SHARE_BITS: u32 = 32;

impl RoundedCapacity {
    pub(super) fn new(capacity: u64) -> Self {
        let exponent = (u64::BITS - capacity.leading_zeros()).saturating_sub(MANTISSA_BITS);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "6 bits, and the 10 upper bits"
        )]
        Self((exponent << MANTISSA_BITS) as u16 | (capacity >> exponent) as u16)
    }

    /// The share that `used` is, and at most all of it.
    pub(super) fn share(self, used: u64) -> Share {
        let mantissa = u64::from(self.0 & MANTISSA);
        let exponent = u32::from(self.0 >> MANTISSA_BITS);
        let used = used.min(mantissa << exponent);
        // So large that little is lost by the division, and of no more than 42 bits.
        let scaled = match SHARE_BITS.checked_sub(exponent) {
            Some(more) => used << more,
            None => used >> (exponent - SHARE_BITS),
        };
        Share(scaled / mantissa.max(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: u64 = 1 << SHARE_BITS;

    /// As exact as can be had: to what the capacity is rounded by, and to one unit.
    fn is_near(share: Share, used: u64, capacity: u64) -> bool {
        let exact = u128::from(used) * u128::from(ALL) / u128::from(capacity);
        let share = u128::from(share.0);
        share + 1 >= exact && share <= exact + exact / 500 + 1
    }

    #[test]
    fn small_capacities_are_exact() {
        for capacity in 1..1_024 {
            let rounded = RoundedCapacity::new(capacity);
            for used in 0..=capacity {
                assert_eq!(rounded.share(used).0, used * ALL / capacity);
            }
        }
    }

    #[test]
    fn nothing_is_no_share_and_more_than_all_is_all() {
        for bits in 0..64 {
            let rounded = RoundedCapacity::new(1 << bits);
            assert_eq!(rounded.share(0), Share(0));
            for all in [1 << bits, u64::MAX] {
                assert_eq!(rounded.share(all), Share(ALL), "{bits}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_share_is_near_the_exact_one(capacity in 1..=u64::MAX, bits in 0..64_u32, used: u64) {
            let capacity = (capacity >> bits).max(1);
            let used = used % capacity;
            let share = RoundedCapacity::new(capacity).share(used);
            prop_assert!(is_near(share, used, capacity), "{share:?} of {used} of {capacity}");
        }
    }
}
