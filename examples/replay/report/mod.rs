//! What came out, for people: as tables on the terminal, and as a page with plots.

mod html;
mod notes;
mod plot;
mod text;
mod words;

pub(crate) use self::{html::Page, text::Text};
use self::{
    notes::notes,
    words::{counted, number, plural},
};
use super::{
    clients::Limited,
    input::{InOrder, Tally},
    replay::{Replay, Trial},
};

/// How many of the most limited clients are shown for each policy.
const SHOWN: usize = 10;

/// All that is shown, in either form.
pub(crate) struct Report<'a> {
    log: String,
    path: Option<&'a str>,
    replay: &'a Replay,
    /// The first and the last request.
    times: (u64, u64),
    outcomes: Vec<Outcome<'a>>,
    /// Sentences on what was left out and what is not exact.
    notes: Vec<String>,
}

/// What one policy did.
struct Outcome<'a> {
    trial: &'a Trial,
    /// How many clients it limited.
    clients: usize,
    most_limited: Vec<Row>,
}

/// One of the most limited clients.
struct Row {
    client: String,
    requests: u64,
    limited: Limited,
}

impl<'a> Report<'a> {
    /// Sums up a replay that has ended.
    ///
    /// # Errors
    ///
    /// There was no request; a sentence that says why.
    pub(crate) fn new(
        log: String,
        path: Option<&'a str>,
        replay: &'a Replay,
        order: &InOrder,
        tally: &Tally,
    ) -> Result<Self, String> {
        let Some(times) = replay.times else {
            return Err(nothing_to_replay(&log, path, tally));
        };
        let trials = replay.trials.iter().enumerate();
        Ok(Self {
            path,
            times,
            outcomes: trials.map(|(n, trial)| outcome(replay, n, trial)).collect(),
            notes: notes(replay, order, tally),
            replay,
            log,
        })
    }

    /// What was replayed, in a line.
    fn subject(&self) -> String {
        let path = self.path.map(|path| format!(" for {path}…"));
        let clients = self.replay.clients.count();
        format!(
            "{}{} of {} client{}",
            counted(self.replay.requests, "request"),
            path.unwrap_or_default(),
            self.at_least(clients),
            plural(clients as u64),
        )
    }

    /// How many clients a policy limited.
    fn clients_limited(&self, outcome: &Outcome<'_>) -> String {
        match outcome.trial.limited {
            0 => number(0),
            _ => self.at_least(outcome.clients),
        }
    }

    /// How many clients there are, of which some may have been forgotten.
    fn at_least(&self, clients: usize) -> String {
        let more = if self.replay.clients.missing > 0 {
            "+"
        } else {
            ""
        };
        format!("{}{more}", number(clients as u64))
    }
}

fn outcome<'a>(replay: &'a Replay, n: usize, trial: &'a Trial) -> Outcome<'a> {
    let limited = replay.clients.limited_by(n);
    let row = |(id, requests, limited): &(ratelimit::ClientId, u64, Limited)| Row {
        client: id.to_string().trim_start_matches("ip:").to_owned(),
        requests: *requests,
        limited: *limited,
    };
    Outcome {
        trial,
        clients: limited.len(),
        most_limited: limited.iter().take(SHOWN).map(row).collect(),
    }
}

fn nothing_to_replay(log: &str, path: Option<&str>, tally: &Tally) -> String {
    if tally.lines == 0 {
        return format!("{log} has no request to replay: it is empty, or has nothing but a header");
    }
    if let Some(path) = path {
        return format!(
            "{log} has no request whose path begins with {path}: leave --path out, or make it shorter"
        );
    }
    let lines = counted(tally.lines, "line");
    let example = tally
        .examples
        .first()
        .map(|example| format!("\n  {example}"));
    format!(
        "{log} has no request to replay in {lines}{}",
        example.unwrap_or_default()
    )
}
