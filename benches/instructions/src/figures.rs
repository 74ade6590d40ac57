//! The figures that are kept beside the code, and how new ones differ from them.

use std::{fs, io, path::PathBuf};

/// A workload's name, and instructions for each time that it is done.
pub(crate) type Figure = (String, u64);

/// Where they were counted, and what they were.
pub(crate) fn read() -> io::Result<(String, Vec<Figure>)> {
    let text = fs::read_to_string(file())?;
    let (environment, figures) = text.split_once('\n').unwrap_or_default();
    let figures = figures.lines().map(parse).collect::<io::Result<_>>()?;
    Ok((environment.to_owned(), figures))
}

pub(crate) fn write(environment: &str, figures: &[Figure]) -> io::Result<()> {
    let lines = figures
        .iter()
        .map(|(name, count)| format!("{name}: {count}\n"));
    let lines: String = lines.collect();
    fs::write(file(), format!("{environment}\n{lines}"))
}

fn parse(line: &str) -> io::Result<Figure> {
    line.split_once(": ")
        .and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)))
        .ok_or_else(|| io::Error::other(format!("instructions.txt: {line:?} is no figure")))
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

/// How a count differs from the one that is kept.
pub(crate) enum Change {
    New,
    Alike,
    GrewFrom(u64),
    ShrankFrom(u64),
}

impl Change {
    pub(crate) fn of(name: &str, count: u64, kept: &[Figure]) -> Self {
        // So much is noise: hashes have other seeds each time.
        const PERCENT: u64 = 5;
        match kept.iter().find(|(other, _)| other == name) {
            None => Self::New,
            Some(&(_, kept)) if count * 100 > kept * (100 + PERCENT) => Self::GrewFrom(kept),
            Some(&(_, kept)) if count * 100 < kept * (100 - PERCENT) => Self::ShrankFrom(kept),
            Some(_) => Self::Alike,
        }
    }
}
