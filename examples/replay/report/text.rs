//! The tables on the terminal.

use std::fmt;

use super::{
    Outcome, Report,
    words::{DATE, MINUTE, TIME, number, share, time},
};

/// A report as tables for a terminal.
pub(crate) struct Text<'a>(pub(crate) &'a Report<'a>);

/// Where there is nothing to show.
const NOTHING: &str = "–";

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report) = self;
        let (first, last) = report.times;
        writeln!(
            f,
            "{}: {}\nfrom {} to {} UTC\n",
            report.log,
            report.subject(),
            time(first, DATE),
            time(last, DATE)
        )?;
        for (n, outcome) in (1..).zip(&report.outcomes) {
            writeln!(f, "{n}  {}", outcome.trial.policy().name())?;
        }
        writeln!(f)?;
        compared(f, report)?;
        for (n, outcome) in (1..).zip(&report.outcomes) {
            if !outcome.most_limited.is_empty() {
                writeln!(f, "\n{n}  {}", outcome.trial.policy().name())?;
                writeln!(f, "   when: {}\n", when(outcome))?;
                most_limited(f, outcome)?;
            }
        }
        if !report.notes.is_empty() {
            writeln!(f)?;
        }
        report.notes.iter().try_for_each(|note| wrapped(f, note))
    }
}

/// All policies in one table.
fn compared(f: &mut fmt::Formatter<'_>, report: &Report<'_>) -> fmt::Result {
    let requests = report.replay.requests;
    let head = [
        "",
        "requests",
        "limited",
        "share",
        "clients",
        "first",
        "last",
        "worst minute",
    ];
    let row = |(n, outcome): (usize, &Outcome<'_>)| {
        let trial = outcome.trial;
        let [first, last, worst] = match trial.times {
            Some((first, last)) => [
                time(first, TIME),
                time(last, TIME),
                format!(
                    "{} at {}",
                    number(trial.worst.limited),
                    time(trial.worst.begins, MINUTE)
                ),
            ],
            None => [NOTHING; 3].map(str::to_owned),
        };
        [
            n.to_string(),
            number(requests),
            number(trial.limited),
            share(trial.limited, requests),
            report.clients_limited(outcome),
            first,
            last,
            worst,
        ]
    };
    table(f, "", head, (1..).zip(&report.outcomes).map(row).collect())
}

fn most_limited(f: &mut fmt::Formatter<'_>, outcome: &Outcome<'_>) -> fmt::Result {
    let head = [
        "most limited",
        "requests",
        "limited",
        "share",
        "first",
        "last",
    ];
    let rows = outcome.most_limited.iter().map(|row| {
        [
            row.client.clone(),
            number(row.requests),
            number(row.limited.requests),
            share(row.limited.requests, row.requests),
            time(row.limited.first, TIME),
            time(row.limited.last, TIME),
        ]
    });
    table(f, "   ", head, rows.collect())
}

/// When it limited, from the log's beginning to its end: a block for each part, the higher the more.
fn when(outcome: &Outcome<'_>) -> String {
    const PARTS: usize = 60;
    const BLOCKS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bins = &outcome.trial.series.bins;
    let parts = PARTS.min(bins.len());
    let mut limited = vec![0; parts];
    for (place, bin) in bins.iter().enumerate() {
        limited[place * parts / bins.len()] += bin.limited;
    }
    let most = limited.iter().max().copied().unwrap_or(0).max(1);
    let block = |limited: &u64| {
        let height = (limited * (BLOCKS.len() as u64 - 1)).div_ceil(most);
        BLOCKS[usize::try_from(height).unwrap_or(0)]
    };
    limited.iter().map(block).collect()
}

/// A table with the first column and times to the left, and numbers to the right.
fn table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    indent: &str,
    head: [&str; N],
    rows: Vec<[String; N]>,
) -> fmt::Result {
    const NUMBERS: [&str; 4] = ["requests", "limited", "share", "clients"];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(rows);
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).zip(head);
        let cells = cells.map(|((cell, width), head)| {
            if NUMBERS.contains(&head) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(f, "{indent}{}", line.trim_end())?;
    }
    Ok(())
}

/// A paragraph in lines that fit a terminal.
fn wrapped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    const WIDTH: usize = 96;
    let mut line = String::new();
    for word in text.split(' ') {
        let longer = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && longer > WIDTH {
            writeln!(f, "{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(f, "{line}")
}
