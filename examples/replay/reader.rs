//! From the lines of a log to the requests that are replayed.

use std::{error::Error, io::BufRead};

use ratelimit::ClientId;

use super::{
    lines::{LONGEST, Line, Lines},
    log,
    order::{InOrder, Request},
    replay::Replay,
};

/// How many broken lines are told of.
const TOLD: usize = 5;

/// Reads a log.
pub(crate) struct Reader<'a> {
    /// The tiers that a policy has; others are the default one to all of them.
    tiers: Vec<&'static str>,
    /// How the path of a request begins that is replayed.
    prefix: &'a str,
    pub(crate) broken: Broken,
}

/// Lines that tell of no request.
#[derive(Default)]
pub(crate) struct Broken {
    pub(crate) lines: u64,
    /// The first of them, with their numbers and what is wrong with them.
    pub(crate) told: Vec<(u64, String)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(tiers: Vec<&'static str>, prefix: Option<&'a str>) -> Self {
        Self {
            tiers,
            prefix: prefix.unwrap_or_default(),
            broken: Broken::default(),
        }
    }

    /// Replays a log from its beginning to its end.
    ///
    /// # Errors
    ///
    /// It could not be read to its end.
    pub(crate) async fn replay(
        &mut self,
        log: impl BufRead,
        order: &mut InOrder,
        replay: &mut Replay,
    ) -> Result<(), Box<dyn Error>> {
        let mut lines = Lines::new(log);
        loop {
            let number = lines.number + 1;
            let line = lines
                .next()
                .map_err(|error| format!("cannot read line {number} of the log: {error}"))?;
            let Some(line) = line else { break };
            match self.request(&line) {
                Ok(Some(request)) => order.push(request),
                Ok(None) => {}
                Err(problem) => self.broken.add(number, problem),
            }
            while let Some(request) = order.pop() {
                replay.request(&request).await?;
            }
        }
        while let Some(request) = order.take() {
            replay.request(&request).await?;
        }
        Ok(())
    }

    /// The request of a line, if it is one to replay.
    fn request(&self, line: &Line<'_>) -> Result<Option<Request>, String> {
        let Line::Whole(line) = line else {
            return Err(format!("it is longer than {LONGEST} bytes"));
        };
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(line);
        let entry = log::entry(&line)?;
        if !entry.path.unwrap_or_default().starts_with(self.prefix) {
            return Ok(None);
        }
        let mut tiers = self.tiers.iter().copied();
        let tier = tiers.find(|known| Some(*known) == entry.tier.as_deref());
        Ok(Some(Request {
            at: entry.at,
            client: ClientId::ip(entry.client),
            tier: tier.unwrap_or_default(),
        }))
    }
}

impl Broken {
    fn add(&mut self, line: u64, problem: String) {
        self.lines += 1;
        if self.told.len() < TOLD {
            self.told.push((line, problem));
        }
    }
}
