//! The lines of a log, none of which is kept longer than it may be.

use std::io::{self, BufRead, Read};

/// The longest line that is read, in bytes.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Reads one line after the other into the same memory.
pub(crate) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    /// The number of the line that was read last; the first is 1.
    pub(crate) number: u64,
}

/// A line without its end.
pub(crate) enum Line<'a> {
    Whole(&'a [u8]),
    /// Longer than [`LONGEST`]; it has been passed over.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            number: 0,
        }
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut within = (&mut self.input).take(LONGEST as u64 + 1);
        if within.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let has_ended = self.line.ends_with(b"\n");
        if !has_ended && self.line.len() > LONGEST {
            self.input.skip_until(b'\n')?;
            return Ok(Some(Line::TooLong));
        }
        Ok(Some(Line::Whole(self.line.trim_ascii_end())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_does_not_hide_the_next() {
        let long = "x".repeat(LONGEST + 1);
        let whole = "y".repeat(LONGEST);
        let text = format!("a\r\n{long}\n{whole}\n\nlast");
        // A small buffer, so that lines are put together from several.
        let mut lines = Lines::new(io::BufReader::with_capacity(7, text.as_bytes()));
        let mut seen = Vec::new();
        while let Some(line) = lines.next().expect("readable") {
            seen.push(match line {
                Line::Whole(line) => line.to_vec(),
                Line::TooLong => b"too long".to_vec(),
            });
        }
        let expected = ["a", "too long", &whole, "", "last"].map(|line| line.as_bytes().to_vec());
        assert_eq!(seen, expected);
        assert_eq!(lines.number, 5);
    }
}
