//! How much is written to the log.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How much has been written to the log.
#[derive(Clone, Default)]
pub(super) struct Volume(Arc<Counts>);

#[derive(Default)]
struct Counts {
    lines: AtomicU64,
    bytes: AtomicU64,
}

impl Volume {
    pub(super) fn lines(&self) -> u64 {
        self.0.lines.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }
}

impl io::Write for Volume {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let lines = text.split(|byte| *byte == b'\n').count() - 1;
        self.0.lines.fetch_add(lines as u64, Ordering::Relaxed);
        self.0.bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes the whole program log into a count, at the level INFO.
pub(super) fn install() -> Result<Volume, Box<dyn Error>> {
    let volume = Volume::default();
    let writer = volume.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .try_init()
        .map_err(|error| -> Box<dyn Error> { error })?;
    Ok(volume)
}
