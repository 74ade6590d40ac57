//! Contestants measured in turn, round after round, so that what the machine does meanwhile
//! troubles all of them alike; what is reported is the median and how far the ratio spread.

use std::fmt::Write;

/// Rounds of each comparison.
pub(crate) const ROUNDS: usize = 7;

/// What is good.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// Nanoseconds for each: less is better.
    Nanoseconds,
    /// Milliseconds for each: less is better.
    Milliseconds,
    /// So many each second: more is better.
    PerSecond,
}

/// Something to measure: a name, and one round of it.
pub(crate) struct Contestant<'a> {
    pub(crate) name: String,
    pub(crate) round: Box<dyn FnMut() -> f64 + 'a>,
}

impl<'a> Contestant<'a> {
    pub(crate) fn new(name: impl Into<String>, round: impl FnMut() -> f64 + 'a) -> Self {
        Self {
            name: name.into(),
            round: Box::new(round),
        }
    }
}

#[derive(Default)]
pub(crate) struct Table {
    rows: String,
}

impl Table {
    /// Measures all in turn. The first is what the others are compared with.
    pub(crate) fn compare(&mut self, what: &str, unit: Unit, mut contestants: Vec<Contestant<'_>>) {
        eprintln!("{what}");
        let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); contestants.len()];
        for _ in 0..ROUNDS {
            for (contestant, figures) in contestants.iter_mut().zip(&mut rounds) {
                figures.push((contestant.round)());
            }
        }
        let base = rounds[0].clone();
        for (contestant, figures) in contestants.iter().zip(&rounds) {
            let ratios: Vec<f64> = figures.iter().zip(&base).map(|(a, b)| a / b).collect();
            let (low, ratio, high) = spread(ratios);
            let (_, figure, _) = spread(figures.clone());
            let figure = match unit {
                Unit::Nanoseconds => format!("{figure:.0} ns"),
                Unit::Milliseconds => format!("{figure:.0} ms"),
                Unit::PerSecond => format!("{figure:.0} /s"),
            };
            let row = format!(
                "| {what} | {} | {figure} | {ratio:.2} ({low:.2}–{high:.2}) |",
                contestant.name
            );
            eprintln!("{row}");
            // Writing to a String cannot fail.
            let _ = writeln!(self.rows, "{row}");
        }
    }

    pub(crate) fn to_markdown(&self) -> String {
        format!(
            "| what | who | median of {ROUNDS} rounds | ratio to the first (lowest–highest) |\n| --- | --- | ---: | ---: |\n{}",
            self.rows
        )
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
