//! How many requests there were over time, in a number of bins that does not grow.

/// How many bins there are at the most.
const MOST: usize = 360;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The widths that a bin may have, in microseconds. Each is a multiple of the one before, so that
/// bins can be put together; after the last they double.
const WIDTHS: [u64; 13] = [
    SECOND,
    2 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
];

/// Requests over time. Bins begin at whole multiples of their width since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// In microseconds.
    pub(crate) width: u64,
    /// How many widths after 1970 the first bin begins.
    first: u64,
    pub(crate) bins: Vec<Bin>,
}

/// The requests of one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bin {
    pub(crate) requests: u64,
    /// Those of them that would have been turned away.
    pub(crate) limited: u64,
}

impl Series {
    pub(crate) fn new() -> Self {
        Self {
            width: WIDTHS[0],
            first: 0,
            bins: Vec::new(),
        }
    }

    /// Adds a request at a time that is not before those of the others.
    pub(crate) fn add(&mut self, at: u64, limited: bool) {
        if self.bins.is_empty() {
            self.first = at / self.width;
        }
        while self.place(at) >= MOST {
            self.widen();
        }
        let place = self.place(at);
        if place >= self.bins.len() {
            self.bins.resize(place + 1, Bin::default());
        }
        self.bins[place].requests += 1;
        self.bins[place].limited += u64::from(limited);
    }

    /// When a bin begins, in microseconds since 1970.
    pub(crate) fn begins(&self, bin: usize) -> u64 {
        (self.first + bin as u64) * self.width
    }

    fn place(&self, at: u64) -> usize {
        usize::try_from(at / self.width - self.first).unwrap_or(usize::MAX)
    }

    fn widen(&mut self) {
        let wider = WIDTHS.into_iter().find(|width| *width > self.width);
        let width = wider.unwrap_or(2 * self.width);
        let first = self.first * self.width / width;
        let mut bins: Vec<Bin> = Vec::new();
        for (place, bin) in self.bins.iter().enumerate() {
            let into = self.begins(place) / width - first;
            if into >= bins.len() as u64 {
                bins.push(Bin::default());
            }
            if let Some(sum) = bins.last_mut() {
                sum.requests += bin.requests;
                sum.limited += bin.limited;
            }
        }
        *self = Self { width, first, bins };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_grow_wider_and_lose_nothing() {
        let mut series = Series::new();
        let begin = 1_431_857_103 * SECOND;
        for minute in 0..100_000 {
            series.add(begin + minute * MINUTE, minute % 10 == 0);
            assert!(series.bins.len() <= MOST);
        }
        // 69 days and a half.
        assert_eq!(series.width, 6 * HOUR);
        assert_eq!(series.bins.len(), 279);
        let sum = |of: fn(&Bin) -> u64| series.bins.iter().map(of).sum::<u64>();
        assert_eq!(sum(|bin| bin.requests), 100_000);
        assert_eq!(sum(|bin| bin.limited), 10_000);
        // From 10:05 on.
        assert_eq!(series.begins(0), begin - begin % (6 * HOUR));
        assert_eq!(series.bins[0].requests, 115);
        assert_eq!(series.bins[1].requests, 360);
    }

    #[test]
    fn a_gap_is_a_gap() {
        let mut series = Series::new();
        for second in [10, 10, 13, 100_000_000] {
            series.add(second * SECOND, false);
        }
        assert_eq!(series.width, 4 * DAY);
        let requests: Vec<u64> = series.bins.iter().map(|bin| bin.requests).collect();
        assert_eq!(requests.len(), 290);
        assert_eq!((requests[0], requests[1], requests[289]), (3, 0, 1));
    }
}
