//! Logs as they are opened: plain or compressed, a file, a pipe or standard input.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

/// Standard input as an argument.
const STANDARD_INPUT: &str = "-";

/// The bytes that are read at a time. An open log takes a few times as much memory.
const BUFFER: usize = 64 * 1024;

const GZIP: &[u8] = &[0x1f, 0x8b];

/// The first bytes of other compressed files, and the program that unpacks them.
const UNPACKERS: [(&[u8], &str); 4] = [
    (b"BZh", "bzcat"),
    (b"\xfd7zXZ", "xzcat"),
    (b"\x28\xb5\x2f\xfd", "zstdcat"),
    (b"PK\x03\x04", "unzip -p"),
];

/// The most bytes that a log is recognized by.
const LONGEST_MAGIC: u64 = 5;

/// Returns whether a log can be opened a second time.
pub(super) fn is_regular(log: &Path) -> bool {
    log != Path::new(STANDARD_INPUT) && log.metadata().is_ok_and(|about| about.is_file())
}

/// Returns the logs without those that are a file which is named before, be it by a link.
pub(crate) fn distinct(logs: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let mut is_new = |log: &PathBuf| match fs::canonicalize(log) {
        Ok(file) if is_regular(log) => seen.insert(file),
        _ => true,
    };
    logs.into_iter().filter(|log| is_new(log)).collect()
}

/// Opens a log and unpacks it if it is compressed with gzip, in one or several members.
///
/// # Errors
///
/// Returns an error if the log cannot be opened, or is in a format that is not a text.
pub(super) fn open(log: &Path, bar: &ProgressBar) -> Result<Box<dyn BufRead>, String> {
    let cannot = |error| format!("cannot read {}: {error}", log.display());
    let input: Box<dyn Read> = if log == Path::new(STANDARD_INPUT) {
        Box::new(io::stdin())
    } else {
        let file = File::open(log).map_err(cannot)?;
        if file.metadata().map_err(cannot)?.is_dir() {
            return Err(format!(
                "{} is a directory: name the logs in it",
                log.display()
            ));
        }
        Box::new(file)
    };
    let mut input = bar.wrap_read(input);
    let mut magic = Vec::new();
    input
        .by_ref()
        .take(LONGEST_MAGIC)
        .read_to_end(&mut magic)
        .map_err(cannot)?;
    if let Some((_, unpacker)) = UNPACKERS
        .iter()
        .find(|(begins, _)| magic.starts_with(begins))
    {
        return Err(format!(
            "{} is compressed in a way that is not known here: unpack it, as in\n\n    {unpacker} {} | replay - …\n",
            name(log),
            log.display()
        ));
    }
    if [b"\xff\xfe", b"\xfe\xff"]
        .iter()
        .any(|mark| magic.starts_with(*mark))
    {
        return Err(format!(
            "{} is in UTF-16, as PowerShell's `>` writes it: save it in UTF-8",
            name(log)
        ));
    }
    let is_gzip = magic.starts_with(GZIP);
    let input = BufReader::with_capacity(BUFFER, Cursor::new(magic).chain(input));
    Ok(if is_gzip {
        Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input)))
    } else {
        Box::new(input)
    })
}

/// Returns the name of a log in messages.
pub(super) fn name(log: &Path) -> String {
    if log == Path::new(STANDARD_INPUT) {
        return "standard input".to_owned();
    }
    let name = log.file_name().unwrap_or(log.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Returns the title of several logs.
pub(crate) fn title(logs: &[PathBuf]) -> String {
    match logs {
        [] => String::new(),
        [log] => name(log),
        [first, second] => format!("{} and {}", name(first), name(second)),
        [first, others @ ..] => format!("{} and {} more", name(first), others.len()),
    }
}

/// A bar that shows how much of the logs has been read, on standard error if that is a terminal.
pub(crate) struct Progress(pub(super) ProgressBar);

impl Progress {
    /// Creates a bar for these logs.
    pub(crate) fn new(logs: &[PathBuf]) -> Self {
        let length = |log: &PathBuf| {
            let about = log.metadata().ok()?;
            is_regular(log).then_some(about.len())
        };
        let lengths: Option<u64> = logs.iter().map(length).sum();
        let (bar, style) = match lengths {
            Some(length) => (
                ProgressBar::new(length),
                "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            ),
            None => (
                ProgressBar::no_length(),
                "{spinner} {bytes}, {bytes_per_sec}",
            ),
        };
        let style = ProgressStyle::with_template(style);
        Self(match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    /// Removes the bar from the terminal.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_short() {
        let title = |logs: &[&str]| {
            let logs: Vec<PathBuf> = logs.iter().map(PathBuf::from).collect();
            super::title(&logs)
        };
        assert_eq!(title(&["/var/log/a.log"]), "a.log");
        assert_eq!(title(&["-", "b.gz"]), "standard input and b.gz");
        assert_eq!(title(&["a", "b", "c"]), "a and 2 more");
    }
}
