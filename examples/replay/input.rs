//! Where the log comes from, with a bar that shows how much of it has been read.

use std::{
    error::Error,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use indicatif::{ProgressBar, ProgressBarIter, ProgressStyle};

/// Standard input as an argument.
const STANDARD_INPUT: &str = "-";

pub(crate) type Input = BufReader<ProgressBarIter<Box<dyn Read>>>;

/// Opens a log. The bar is on standard error, and not there where that is no terminal.
///
/// # Errors
///
/// It cannot be opened; a sentence that says which.
pub(crate) fn open(log: &Path) -> Result<(Input, ProgressBar), Box<dyn Error>> {
    let (input, bar): (Box<dyn Read>, _) = if log == Path::new(STANDARD_INPUT) {
        (Box::new(io::stdin()), unbounded()?)
    } else {
        let cannot = |error| format!("cannot read {}: {error}", log.display());
        let file = File::open(log).map_err(cannot)?;
        let about = file.metadata().map_err(cannot)?;
        if about.is_dir() {
            return Err(format!("{} is a directory: name a log in it", log.display()).into());
        }
        // A pipe has a name, too, but no length.
        let bar = if about.is_file() {
            bounded(about.len())?
        } else {
            unbounded()?
        };
        (Box::new(file), bar)
    };
    let input = BufReader::with_capacity(256 * 1024, bar.wrap_read(input));
    Ok((input, bar))
}

/// What the log is called.
pub(crate) fn name(log: &Path) -> String {
    if log == Path::new(STANDARD_INPUT) {
        return "standard input".to_owned();
    }
    let name = log.file_name().unwrap_or(log.as_os_str());
    name.to_string_lossy().into_owned()
}

fn bounded(length: u64) -> Result<ProgressBar, Box<dyn Error>> {
    let style = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    Ok(ProgressBar::new(length).with_style(ProgressStyle::with_template(style)?))
}

fn unbounded() -> Result<ProgressBar, Box<dyn Error>> {
    let style = "{spinner} {bytes}, {bytes_per_sec}";
    Ok(ProgressBar::no_length().with_style(ProgressStyle::with_template(style)?))
}
