//! Contestants measured in turn, round after round, so that what the machine does meanwhile
//! troubles all of them alike; what is reported is the median and how far the ratio spread.

use std::{fmt::Write, iter};

/// Rounds of each comparison.
pub const ROUNDS: usize = 7;

/// What is good.
#[derive(Clone, Copy)]
pub enum Unit {
    /// Nanoseconds for each: less is better.
    Nanoseconds,
    /// Microseconds for each: less is better.
    Microseconds,
    /// Milliseconds for each: less is better.
    Milliseconds,
    /// So many each second: more is better.
    PerSecond,
    /// Bytes for each: less is better.
    Bytes,
    /// Allocations for each: less is better.
    Allocations,
    /// Commands in all: less is better.
    Commands,
}

impl Unit {
    fn show(self, figure: f64) -> String {
        match self {
            Self::Nanoseconds => format!("{figure:.0} ns"),
            Self::Microseconds => format!("{figure:.0} µs"),
            Self::Milliseconds => format!("{figure:.0} ms"),
            Self::PerSecond => format!("{figure:.0} /s"),
            Self::Bytes => format!("{figure:.0} bytes"),
            Self::Allocations => format!("{figure:.2} allocations"),
            Self::Commands => format!("{figure:.0} commands"),
        }
    }
}

/// Something to measure: a name, and one round of it.
pub struct Contestant<'a> {
    name: String,
    round: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Contestant<'a> {
    /// One with this name, and what it measures in a round.
    pub fn new(name: impl Into<String>, round: impl FnMut() -> f64 + 'a) -> Self {
        Self {
            name: name.into(),
            round: Box::new(round),
        }
    }
}

/// What has been measured.
#[derive(Default)]
pub struct Table {
    rows: String,
    left_out: String,
}

impl Table {
    /// Measures all in turn, and says what their medians are.
    pub fn compare(
        &mut self,
        what: &str,
        unit: Unit,
        mut contestants: Vec<Contestant<'_>>,
    ) -> Vec<f64> {
        eprintln!("{what}");
        let round = || contestants.iter_mut().map(|one| (one.round)()).collect();
        let rounds: Vec<Vec<f64>> = iter::repeat_with(round).take(ROUNDS).collect();
        let names: Vec<&str> = contestants.iter().map(|one| one.name.as_str()).collect();
        self.add_rounds(what, unit, &names, &rounds)
    }

    /// Adds what has been measured in rounds, each with a figure for each name, and says what their
    /// medians are. The first is what the others are compared with.
    pub fn add_rounds(
        &mut self,
        what: &str,
        unit: Unit,
        names: &[&str],
        rounds: &[Vec<f64>],
    ) -> Vec<f64> {
        let mut medians = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let ratios = rounds.iter().map(|round| round[n] / round[0]).collect();
            let (low, ratio, high) = spread(ratios);
            let (_, median, _) = spread(rounds.iter().map(|round| round[n]).collect());
            let ratio = format!("{ratio:.2} ({low:.2}–{high:.2})");
            self.add_row(what, name, &unit.show(median), &ratio);
            medians.push(median);
        }
        medians
    }

    /// Adds what has been counted once and not timed in rounds.
    pub fn state(&mut self, what: &str, unit: Unit, counted: &[(String, f64)]) {
        for (name, figure) in counted {
            let base = counted[0].1;
            let ratio = if base > 0.0 {
                format!("{:.2}", figure / base)
            } else {
                String::from("–")
            };
            self.add_row(what, name, &unit.show(*figure), &ratio);
        }
    }

    /// Says who would have been measured, and why it was not.
    pub fn leave_out(&mut self, who: &str, why: &str) {
        eprintln!("left out: {who}: {why}");
        // Writing to a String cannot fail.
        let _ = writeln!(self.left_out, "\nLeft out: {who}: {why}.");
    }

    /// Adds the rows of a table that another program made.
    pub fn add_rows(&mut self, rows: &str) {
        self.rows.push_str(rows);
    }

    /// Its lines, without those at the top.
    pub fn rows(&self) -> &str {
        &self.rows
    }

    /// All of it.
    pub fn to_markdown(&self) -> String {
        format!(
            "| what | who | median of {ROUNDS} rounds | ratio to the first (lowest–highest) |\n| --- | --- | ---: | ---: |\n{}{}",
            self.rows, self.left_out
        )
    }

    fn add_row(&mut self, what: &str, who: &str, figure: &str, ratio: &str) {
        let row = format!("| {what} | {who} | {figure} | {ratio} |");
        eprintln!("{row}");
        // Writing to a String cannot fail.
        let _ = writeln!(self.rows, "{row}");
    }
}

/// Lowest, median, highest.
fn spread(mut figures: Vec<f64>) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (
        figures[0],
        figures[figures.len() / 2],
        figures[figures.len() - 1],
    )
}
