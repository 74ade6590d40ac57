//! Several logs as one, whatever order they are given in.
//!
//! A log is opened when its turn comes, by the time of its first request, and closed at its end: of a
//! log that was rotated a hundred times, one or two files are open at once.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};

use super::{
    super::log::Settings,
    file::{self, Progress},
    order::{MOST, Request},
    source::{Filter, Source, Tally},
};

/// The late requests in a row after which a log counts as put together in a wrong order.
const MAX_LATE_RUN: u64 = 10;

/// The requests of a log of which one may be late.
const LATE_SHARE: u64 = 1_000;

/// The requests of several logs.
pub(crate) struct Merge<'a> {
    settings: &'a Settings,
    filter: &'a Filter<'a>,
    bar: ProgressBar,
    /// The file names that several logs have: they are named by their paths.
    ambiguous: HashSet<String>,
    /// The time by which requests may be out of order.
    window: Duration,
    /// The logs that are not open, the one that begins last at first.
    waiting: Vec<(u64, PathBuf)>,
    open: Vec<Option<Log<'a>>>,
    /// The time of the next request of each open log, and its place in `open`.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// The log whose request was returned last.
    last: Option<usize>,
    pub(crate) tally: Tally,
}

/// An open log.
struct Log<'a> {
    source: Source<'a>,
    head: Option<Request>,
    requests: u64,
    late: u64,
    /// The late ones since the last one that was not.
    late_run: u64,
    /// The error about the first late one.
    problem: String,
}

impl<'a> Merge<'a> {
    /// Reads the beginning of each log.
    ///
    /// # Errors
    ///
    /// Returns an error if a log cannot be opened, or if too many of the lines before its first request are
    /// unreadable.
    pub(crate) fn new(
        logs: &[PathBuf],
        progress: &Progress,
        window: Duration,
        settings: &'a Settings,
        filter: &'a Filter<'a>,
    ) -> Result<Self, String> {
        let mut merge = Self {
            settings,
            filter,
            bar: progress.0.clone(),
            ambiguous: ambiguous(logs),
            window,
            waiting: Vec::new(),
            open: Vec::new(),
            heads: BinaryHeap::new(),
            last: None,
            tally: Tally::default(),
        };
        for log in logs {
            // A pipe can be read once only.
            if logs.len() == 1 || !file::is_regular(log) {
                merge.open(log)?;
                continue;
            }
            let mut source = merge.source(log, &ProgressBar::hidden())?;
            let first = source.next()?.map_or(0, |request| request.at);
            merge.waiting.push((first, log.clone()));
        }
        // Of logs that begin at the same time, those that were given first are read first.
        merge.waiting.reverse();
        merge.waiting.sort_by_key(|(first, _)| Reverse(*first));
        Ok(merge)
    }

    /// Returns the request with the earliest time among the next ones of all logs.
    ///
    /// # Errors
    ///
    /// Returns an error if a log cannot be read to its end, if too many of its lines are unreadable, or if
    /// too many of its requests are out of order.
    pub(crate) fn next(&mut self) -> Result<Option<Request>, String> {
        if let Some(last) = self.last.take() {
            self.advance(last)?;
        }
        while let Some((first, _)) = self.waiting.last() {
            let earliest = self.heads.peek().map(|Reverse((at, _))| *at);
            if earliest.is_some_and(|at| at < *first) {
                break;
            }
            if let Some((_, log)) = self.waiting.pop() {
                self.open(&log)?;
            }
        }
        let Some(Reverse((_, place))) = self.heads.pop() else {
            return Ok(None);
        };
        self.last = Some(place);
        Ok(self.open[place].as_mut().and_then(|log| log.head.take()))
    }

    /// Records by how much the request that was returned last was too late to be put in order.
    ///
    /// # Errors
    ///
    /// Returns an error if many in a row were too late.
    pub(crate) fn placed(&mut self, late_by: Option<u64>, at: u64) -> Result<(), String> {
        let Some(log) = self.last.and_then(|place| self.open[place].as_mut()) else {
            return Ok(());
        };
        log.requests += 1;
        let Some(by) = late_by else {
            log.late_run = 0;
            return Ok(());
        };
        log.late += 1;
        log.late_run += 1;
        if log.late == 1 {
            log.problem = out_of_order(&log.source.place(), at, by, self.window);
        }
        if log.late_run == MAX_LATE_RUN {
            Err(log.problem.clone())
        } else {
            Ok(())
        }
    }

    fn source(&self, log: &Path, bar: &ProgressBar) -> Result<Source<'a>, String> {
        let mut name = file::name(log);
        if self.ambiguous.contains(&name) {
            name = log.display().to_string();
        }
        Source::open(log, name, bar, self.settings, self.filter)
    }

    fn open(&mut self, log: &Path) -> Result<(), String> {
        let source = self.source(log, &self.bar)?;
        let free = self.open.iter().position(Option::is_none);
        let place = free.unwrap_or(self.open.len());
        let log = Some(Log {
            source,
            head: None,
            requests: 0,
            late: 0,
            late_run: 0,
            problem: String::new(),
        });
        if place == self.open.len() {
            self.open.push(log);
        } else {
            self.open[place] = log;
        }
        self.advance(place)
    }

    /// Reads the next request of an open log, which is closed if it has none.
    fn advance(&mut self, place: usize) -> Result<(), String> {
        let Some(log) = &mut self.open[place] else {
            return Ok(());
        };
        log.head = log.source.next()?;
        if let Some(head) = log.head {
            self.heads.push(Reverse((head.at, place)));
            return Ok(());
        }
        if log.late > log.requests / LATE_SHARE {
            return Err(log.problem.clone());
        }
        if let Some(log) = self.open[place].take() {
            self.tally.merge(log.source.into_tally());
        }
        Ok(())
    }
}

/// Returns the file names that several logs have.
fn ambiguous(logs: &[PathBuf]) -> HashSet<String> {
    let mut seen = HashSet::new();
    let names = logs.iter().map(|log| file::name(log));
    names.filter(|name| !seen.insert(name.clone())).collect()
}

fn out_of_order(place: &str, at: u64, by: u64, window: Duration) -> String {
    let time = i64::try_from(at)
        .ok()
        .and_then(|at| Timestamp::from_microsecond(at).ok());
    let time = time.map_or_else(|| "later".to_owned(), |time| time.to_string());
    let by = SignedDuration::from_micros(i64::try_from(by).unwrap_or(i64::MAX));
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    format!(
        "{place}: out of order: the time is {time}, {by:#} before that of a line above, and lines are put in order within {window:#} and {MOST} requests only\n\
         help: a log may be in several files: give the files as arguments instead, in any order, as in `replay access.log*`. `zcat access.log*` puts the newest first\n\
         help: if the server logs requests late, by the time at which they began or from a buffer, say how late, as in --reorder 1h"
    )
}
