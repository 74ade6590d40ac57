//! The requests of one log, in the order in which it has them.

use std::{fmt::Write as _, io::BufRead, path::Path};

use indicatif::ProgressBar;
use ratelimit::ClientId;

use super::{
    super::log::{Entry, KNOWN, Parser, Problem, Settings, excerpt},
    file,
    lines::{LONGEST, Line, Lines},
    order::Request,
};

/// The most lines without a request that are shown.
const MAX_EXAMPLES: usize = 5;

/// The most characters of a line that are shown.
const LONGEST_EXCERPT: usize = 200;

/// The lines after which a log is given up if none of them can be read.
const HOPELESS: u64 = 10_000;

/// The requests that are replayed, and the share of a log that must be readable.
pub(crate) struct Filter<'a> {
    /// The tiers that a policy has; all policies have others on their default tier.
    pub(crate) tiers: Vec<&'static str>,
    /// The beginning of the paths that are replayed.
    pub(crate) prefix: &'a str,
    /// The percentage of lines that need not be readable.
    pub(crate) max_unreadable: f64,
}

/// The lines of logs, and how many of them there are of each kind.
#[derive(Default)]
pub(crate) struct Tally {
    /// Lines that are not blank.
    pub(crate) lines: u64,
    pub(crate) unreadable: u64,
    /// Lines about connections on which no valid request was sent.
    pub(crate) without_request: u64,
    /// The first of those two kinds: where they are, what was expected, and what they begin with.
    pub(crate) examples: Vec<String>,
    /// Requests from the address of a trusted proxy, behind which none of a client was found.
    pub(crate) from_proxies: u64,
    /// Requests that were forwarded by an address that is not trusted.
    pub(crate) with_ignored_list: u64,
}

/// An open log.
pub(super) struct Source<'a> {
    name: String,
    lines: Lines<Box<dyn BufRead>>,
    parser: Parser<'a>,
    filter: &'a Filter<'a>,
    tally: Tally,
}

impl<'a> Source<'a> {
    /// Opens a log, which messages call by this name.
    ///
    /// # Errors
    ///
    /// Returns an error if the log cannot be opened.
    pub(super) fn open(
        log: &Path,
        name: String,
        bar: &ProgressBar,
        settings: &'a Settings,
        filter: &'a Filter<'a>,
    ) -> Result<Self, String> {
        Ok(Self {
            name,
            lines: Lines::new(file::open(log, bar)?),
            parser: Parser::new(settings),
            filter,
            tally: Tally::default(),
        })
    }

    /// Returns where the line is that was read last.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.name, self.lines.number)
    }

    /// Reads on to the next request that is replayed.
    ///
    /// # Errors
    ///
    /// Returns an error if the log cannot be read to its end, or if too many of its lines are unreadable.
    pub(super) fn next(&mut self) -> Result<Option<Request>, String> {
        loop {
            let number = self.lines.number + 1;
            let line = self
                .lines
                .next()
                .map_err(|error| format!("cannot read line {number} of {}: {error}", self.name))?;
            let Some(line) = line else {
                self.verify()?;
                return Ok(None);
            };
            let (bytes, is_whole) = match line {
                Line::Whole(bytes) => (bytes, true),
                Line::TooLong(bytes) => (bytes, false),
            };
            let text = String::from_utf8_lossy(bytes);
            let parsed = if is_whole && bytes.contains(&b'\r') {
                Err(Problem::Unreadable(
                    "expected line feeds between lines, and not carriage returns alone".to_owned(),
                ))
            } else if is_whole {
                self.parser.parse(&text)
            } else {
                Err(Problem::Unreadable(format!(
                    "expected a line of at most {LONGEST} bytes"
                )))
            };
            match parsed {
                // A blank line or a header.
                Ok(None) => {}
                Ok(Some(entry)) => {
                    self.tally.lines += 1;
                    if let Some(request) = self.filter.request(&entry, &mut self.tally) {
                        return Ok(Some(request));
                    }
                }
                Err(problem) => {
                    self.tally.add(&self.name, number, problem, &text);
                    if self.tally.lines == HOPELESS && self.tally.unreadable == HOPELESS {
                        self.verify()?;
                    }
                }
            }
        }
    }

    /// Returns the counts of the log.
    pub(super) fn into_tally(self) -> Tally {
        self.tally
    }

    /// Checks that not too many lines were unreadable so far.
    fn verify(&self) -> Result<(), String> {
        let Tally {
            lines,
            unreadable,
            examples,
            ..
        } = &self.tally;
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let percent = 100.0 * *unreadable as f64 / (*lines).max(1) as f64;
        let most = self.filter.max_unreadable;
        if percent <= most {
            return Ok(());
        }
        let mut error = format!(
            "{}: {unreadable} of {lines} lines cannot be read ({percent:.1} %, and at most {most} % may be)\n",
            self.name
        );
        for example in examples {
            let _ = writeln!(error, "  {example}");
        }
        let _ = write!(
            error,
            "help: known formats are {KNOWN}; name one with --format to see what it expects\n\
             help: to leave out the lines that cannot be read, raise --max-unreadable"
        );
        Err(error)
    }
}

impl Filter<'_> {
    /// Returns the request of an entry, if it is one to replay.
    fn request(&self, entry: &Entry<'_>, tally: &mut Tally) -> Option<Request> {
        if !entry
            .path
            .as_deref()
            .unwrap_or_default()
            .starts_with(self.prefix)
        {
            return None;
        }
        tally.from_proxies += u64::from(entry.client.is_proxy);
        tally.with_ignored_list += u64::from(entry.client.ignores_list);
        let mut tiers = self.tiers.iter().copied();
        let tier = tiers.find(|known| Some(*known) == entry.tier.as_deref());
        Some(Request {
            at: entry.at,
            client: ClientId::ip(entry.client.address),
            tier: tier.unwrap_or_default(),
        })
    }
}

impl Tally {
    /// Counts a line that gives no request.
    fn add(&mut self, log: &str, line: u64, problem: Problem, text: &str) {
        self.lines += 1;
        let expected = match problem {
            Problem::Unreadable(expected) => {
                self.unreadable += 1;
                expected
            }
            Problem::NoRequest(expected) => {
                self.without_request += 1;
                expected
            }
        };
        if self.examples.len() < MAX_EXAMPLES {
            let begin = excerpt(text, LONGEST_EXCERPT);
            self.examples
                .push(format!("{log}:{line}: {expected}: {begin}"));
        }
    }

    /// Adds the counts of another log.
    pub(super) fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.unreadable += other.unreadable;
        self.without_request += other.without_request;
        self.from_proxies += other.from_proxies;
        self.with_ignored_list += other.with_ignored_list;
        let room = MAX_EXAMPLES - self.examples.len();
        self.examples.extend(other.examples.into_iter().take(room));
    }
}
