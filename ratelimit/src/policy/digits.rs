//! The digits of a number that is known beforehand, for a header that always says the same.

/// A number in decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digits {
    /// As many as the longest has; those before `first` are zeros.
    places: [u8; 10],
    first: u8,
}

impl Digits {
    pub(crate) const fn of(n: u32) -> Self {
        let mut places = [b'0'; 10];
        let mut first = 9;
        let mut rest = n;
        loop {
            // Below ten.
            places[first as usize] += (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return Self { places, first };
            }
            first -= 1;
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.places[usize::from(self.first)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_number() {
        let powers = (0..10).map(|n| 10_u32.pow(n));
        let edges = powers.flat_map(|power| [power - 1, power, power + 1]);
        for n in edges.chain([42, u32::MAX]) {
            assert_eq!(Digits::of(n).as_bytes(), n.to_string().as_bytes());
        }
    }
}
