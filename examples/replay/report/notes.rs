//! What was left out, and what is not exact: sentences under the tables.

use super::{
    super::{
        clients,
        order::InOrder,
        reader::Broken,
        replay::{BUCKETS, Replay, Trial},
    },
    words::{at_most, counted, number},
};

pub(super) fn notes(replay: &Replay, order: &InOrder, broken: &Broken) -> Vec<String> {
    let mut notes = Vec::new();
    if broken.lines > 0 {
        notes.push(format!(
            "Left out: {} that cannot be read.",
            counted(broken.lines, "line")
        ));
        let told = broken.told.iter();
        notes.extend(told.map(|(line, problem)| format!("Line {line}: {problem}")));
    }
    if order.late > 0 {
        notes.push(format!(
            "{} came in the log after later ones, too late to be put in order, by up to {}. They were replayed at the time it was then. If the log is of several files, put them together with the oldest first.",
            counted(order.late, "request"),
            at_most(order.latest_by),
        ));
    }
    if replay.clients.missing > 0 {
        notes.push(format!(
            "There are more than {} clients, and those with few requests were forgotten: a client may have up to {} more requests than are shown here, limited ones or not, and \"+\" means at least. Where more than {} have a quota that is not whole again, a policy may have limited too little.",
            number(clients::MOST as u64),
            number(replay.clients.missing),
            number(BUCKETS as u64),
        ));
    }
    if replay.in_seconds {
        notes.push(
            "The log's times are whole seconds, so that all requests of a second were replayed at one instant."
                .to_owned(),
        );
    }
    let mut policies = replay.trials.iter().map(Trial::policy);
    if policies.any(|policy| policy.tiers().len() > 1) && !replay.tiers_seen {
        notes.push(
            "The log says of no request on which tier it is, so that all of them are on the default one."
                .to_owned(),
        );
    }
    notes
}
