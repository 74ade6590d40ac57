//! The lines of a log, of which none takes more memory than a fixed amount.

use std::io::{self, BufRead, Read};

/// The longest line that is read, in bytes.
pub(super) const LONGEST: usize = 1024 * 1024;

/// The mark that editors and shells put before UTF-8, and that is within a log if files were put together.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a log, each of which is read into the same memory.
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    /// The number of the line that was read last; the first is 1.
    pub(super) number: u64,
}

/// A line without its end.
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// The beginning of one that is longer than [`LONGEST`], and has been passed over.
    TooLong(&'a [u8]),
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: Vec::new(),
            number: 0,
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let mut within = (&mut self.input).take(LONGEST as u64 + 1);
        if within.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let has_ended = self.line.ends_with(b"\n");
        if !has_ended && self.line.len() > LONGEST {
            self.input.skip_until(b'\n')?;
            return Ok(Some(Line::TooLong(&self.line)));
        }
        let line = self.line.as_slice();
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        Ok(Some(Line::Whole(line.trim_ascii_end())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_does_not_hide_the_next() {
        let long = "x".repeat(LONGEST + 1);
        let whole = "y".repeat(LONGEST);
        let text = format!("\u{feff}a\r\n{long}\n{whole}\n\n\u{feff}last");
        // A small buffer, so that lines are put together from several.
        let mut lines = Lines::new(io::BufReader::with_capacity(7, text.as_bytes()));
        let mut seen = Vec::new();
        while let Some(line) = lines.next().expect("readable") {
            seen.push(match line {
                Line::Whole(line) => line.to_vec(),
                Line::TooLong(begin) => begin[..1].to_vec(),
            });
        }
        let expected = ["a", "x", &whole, "", "last"].map(|line| line.as_bytes().to_vec());
        assert_eq!(seen, expected);
        assert_eq!(lines.number, 5);
    }
}
