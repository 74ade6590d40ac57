//! What was left out, and what is not exact: sentences under the tables.

use super::{
    super::{
        clients,
        input::{InOrder, Tally},
        replay::{BUCKETS, Replay, Trial},
    },
    words::{at_most, counted, number, share},
};

/// How to log the address of a client behind a proxy.
const FORWARDED: &str = "$http_x_forwarded_for in nginx, %{X-Forwarded-For}i in Apache";

pub(super) fn notes(replay: &Replay, order: &InOrder, tally: &Tally) -> Vec<String> {
    let mut notes = Vec::new();
    let kinds = [
        (tally.unreadable, "that cannot be read"),
        (tally.without_request, "without a request"),
    ];
    let kinds = kinds.iter().filter(|(lines, _)| *lines > 0);
    let kinds = kinds.map(|(lines, kind)| format!("{} {kind}", counted(*lines, "line")));
    let left_out: Vec<String> = kinds.collect();
    if !left_out.is_empty() {
        notes.push(format!("Left out: {}.", left_out.join(", and ")));
        notes.extend(tally.examples.iter().cloned());
    }
    let are_forwarded = tally.with_ignored_list * 10 > replay.requests;
    if are_forwarded {
        notes.push(format!(
            "{} ({}) were forwarded by an address that is not trusted, and count for that address. If it is a proxy's, such as a CDN's, name its network with --trusted, and in the limiter with trusted_proxies.",
            counted(tally.with_ignored_list, "request"),
            share(tally.with_ignored_list, replay.requests),
        ));
    } else {
        notes.extend(one_address(replay, tally));
    }
    if order.late > 0 {
        notes.push(format!(
            "{} came in the log after later ones, too late to be put in order, by up to {}. They were replayed at the time it was then. To put them in order, raise --reorder.",
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

/// Returns a doubt about the owners of the addresses.
fn one_address(replay: &Replay, tally: &Tally) -> Option<String> {
    let only = replay.clients.only().filter(|_| replay.requests > 1);
    if let Some(client) = only {
        let client = client.to_string();
        return Some(format!(
            "All requests are from one address, {}. If it is a proxy's, log the address that the proxy forwards ({FORWARDED}).",
            client.trim_start_matches("ip:"),
        ));
    }
    (tally.from_proxies * 10 > replay.requests).then(|| {
        format!(
            "{} ({}) are from addresses of private or trusted networks. If those are proxies', log the address that they forward ({FORWARDED}).",
            counted(tally.from_proxies, "request"),
            share(tally.from_proxies, replay.requests),
        )
    })
}
