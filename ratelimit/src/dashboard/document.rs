//! All that the page shows, as JSON.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    limiter::{Bypass, RateLimiter},
    observe::{Figures, Second, Totals, WrongCredentials},
    policy::{Policy, Tier, policies},
};

/// So many of the most limited clients are shown.
const CLIENTS: usize = 10;

/// However many watch, the others' figures are asked for no more often.
const FLEET_PAUSE: Duration = Duration::from_millis(900);

pub(super) struct Document {
    limiter: RateLimiter,
    began: SystemTime,
    fleet: Mutex<Option<(Instant, Option<Figures>)>>,
}

impl Document {
    pub(super) fn new(limiter: RateLimiter) -> Self {
        Self {
            limiter,
            began: SystemTime::now(),
            fleet: Mutex::default(),
        }
    }

    /// With the history of the seconds after `since`, or with all of it.
    pub(super) async fn since(&self, since: Option<u64>) -> Value {
        let limiter = &self.limiter;
        let now = SystemTime::now();
        let totals: BTreeMap<&str, Totals> = limiter.totals().into_iter().collect();
        let most_limited = limiter.most_limited(CLIENTS).into_iter();
        json!({
            "at": seconds(now),
            "uptime_seconds": now.duration_since(self.began).unwrap_or_default().as_secs(),
            "store": self.store(),
            "bypass": limiter.bypass().as_ref().map(bypass),
            "wrong_credentials": wrong_credentials(limiter.wrong_credentials()),
            "figures": figures(&limiter.figures()),
            "fleet": self.fleet().await.as_ref().map(figures),
            "tiers_in_store": limiter.has_tiers_in_store(),
            "policies": policies_with(&totals),
            "history": history(&limiter.history(since), since),
            "top": most_limited
                .map(|(client, limited)| json!({ "client": client.to_string(), "limited": limited }))
                .collect::<Vec<_>>(),
        })
    }

    fn store(&self) -> Value {
        let (kind, server) = self.limiter.store_name();
        let Some(health) = self.limiter.store_health() else {
            return json!({
                "kind": kind, "server": server, "up": true, "since": seconds(self.began),
                "outages": 0, "history": [],
            });
        };
        let changes = health.changes.iter();
        let changes = changes.map(|change| {
            json!({
                "at": seconds(change.at), "up": change.is_up,
                "reason": change.reason.as_deref().map(text),
                "server": change.server.as_deref().map(text),
            })
        });
        json!({
            "kind": kind,
            "server": server,
            "up": health.is_up,
            "since": seconds(health.since),
            "outages": count(health.outages),
            "history": changes.collect::<Vec<_>>(),
        })
    }

    /// Those of all processes; `None` also where they cannot be had, which the store's health says.
    async fn fleet(&self) -> Option<Figures> {
        let mut known = self.fleet.lock().await;
        if let Some((at, figures)) = *known
            && at.elapsed() < FLEET_PAUSE
        {
            return figures;
        }
        let figures = self.limiter.fleet_figures().await.ok().flatten();
        *known = Some((Instant::now(), figures));
        figures
    }
}

pub(super) fn bypass(bypass: &Bypass) -> Value {
    json!({
        "reason": text(&bypass.reason),
        "since": seconds(bypass.since),
        "until": seconds(bypass.until),
    })
}

fn figures(figures: &Figures) -> Value {
    json!({
        "requests_per_minute": count(figures.requests_per_minute),
        "limited_per_minute": count(figures.limited_per_minute),
        "limited_clients": count(figures.limited_clients),
        "p50_seconds": figures.check.map(|check| check.p50.as_secs_f64()),
        "p99_seconds": figures.check.map(|check| check.p99.as_secs_f64()),
    })
}

/// Those of the program's handlers and `policy!`s, and whatever others have had requests.
fn policies_with(totals: &BTreeMap<&str, Totals>) -> Vec<Value> {
    let mut shown = HashSet::new();
    let mut all = Vec::new();
    for entry in policies() {
        for policy in entry.policies() {
            if shown.insert(policy.name()) {
                let totals = totals.get(policy.name()).copied().unwrap_or_default();
                let place = (entry.file(), entry.line());
                all.push(one_policy(policy, place, totals));
            }
        }
    }
    for (&name, totals) in totals {
        if !shown.contains(name) {
            all.push(json!({
                "name": name, "file": null, "line": null, "algorithm": null, "shadow": false,
                "tiers": [], "totals": counts(totals),
            }));
        }
    }
    all
}

fn one_policy(policy: &Policy, (file, line): (Option<&str>, Option<u32>), totals: Totals) -> Value {
    json!({
        "name": policy.name(),
        "file": file,
        "line": line,
        "algorithm": policy.algorithm().name(),
        "shadow": policy.is_shadow(),
        "tiers": policy.tiers().iter().map(tier).collect::<Vec<_>>(),
        "totals": counts(&totals),
    })
}

fn tier(tier: &Tier) -> Value {
    let quota = tier.quota();
    json!({
        "name": tier.name(),
        "limit": quota.map(|quota| quota.limit()),
        "per_seconds": quota.map(|quota| quota.per().as_secs_f64()),
        "burst": quota.map(|quota| quota.burst()).filter(|&burst| Some(burst) != quota.map(|quota| quota.limit())),
    })
}

fn counts(totals: &Totals) -> Value {
    json!({
        "allowed": totals.allowed,
        "limited": totals.limited,
        "shadow": totals.shadow,
        "exempt": totals.exempt,
        "bypassed": totals.bypassed,
        "store_error": totals.store_error,
    })
}

/// One element a second, the oldest first.
fn history(seconds: &[Second], since: Option<u64>) -> Value {
    let last = seconds.last();
    let names: Vec<&str> = last.map_or(Vec::new(), |last| {
        last.policies.iter().map(|(name, _)| *name).collect()
    });
    let series = |name: &str, of: fn(&Totals) -> u64| -> Vec<u64> {
        let new = |second: &Second| {
            let found = second.policies.iter().find(|(known, _)| *known == name);
            found.map_or(0, |(_, totals)| of(totals))
        };
        seconds.iter().map(new).collect()
    };
    let policies: BTreeMap<&str, Value> = names
        .into_iter()
        .map(|name| {
            let series = json!({
                "requests": series(name, Totals::requests),
                "limited": series(name, |totals| totals.limited),
                "shadow": series(name, |totals| totals.shadow),
            });
            (name, series)
        })
        .collect();
    let check = |second: &Second, of: fn(&crate::Latency) -> Duration| {
        second.check.as_ref().map(|check| of(check).as_secs_f64())
    };
    json!({
        "from": seconds.first().map_or(since.unwrap_or(0) + 1, |first| first.at),
        "until": last.map_or(since, |last| Some(last.at)),
        "policies": policies,
        "p50": seconds.iter().map(|second| check(second, |check| check.p50)).collect::<Vec<_>>(),
        "p99": seconds.iter().map(|second| check(second, |check| check.p99)).collect::<Vec<_>>(),
    })
}

fn wrong_credentials(wrong: WrongCredentials) -> Value {
    json!({
        "dashboard_token": wrong.dashboard_token,
        "bypass_secret": wrong.bypass_secret,
    })
}

/// The largest integer up to which JavaScript's numbers are exact (`Number.MAX_SAFE_INTEGER`).
const COUNT_MAX: u64 = (1 << 53) - 1;

/// The end of JavaScript's time ([ECMA-262, section 21.4.1.1]), in Unix seconds.
///
/// [ECMA-262, section 21.4.1.1]: https://tc39.es/ecma262/#sec-time-values-and-time-range
const SECONDS_MAX: f64 = 8.64e12;

/// The longest text of others that is shown, in characters.
const TEXT_MAX: usize = 500;

/// Returns a count that the page can show exactly. Those of all processes are read from Redis, to
/// which other programs may have written.
fn count(n: u64) -> u64 {
    n.min(COUNT_MAX)
}

/// Returns Unix seconds; `None` for a time that the page could make no date of.
fn seconds(time: SystemTime) -> Option<f64> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(since.as_secs_f64()).filter(|&seconds| seconds <= SECONDS_MAX)
}

/// Returns the beginning of a text from elsewhere, such as an error of Redis.
fn text(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(TEXT_MAX) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_javascript_cannot_compute_with_is_not_sent() {
        assert_eq!(count(7), 7);
        assert_eq!(count(u64::MAX), 9_007_199_254_740_991);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(seconds(at(1_700_000_000)), Some(1_700_000_000.0));
        assert_eq!(seconds(at(8_640_000_000_000)), Some(8.64e12));
        assert_eq!(seconds(at(8_640_000_000_001)), None);
        assert_eq!(seconds(at(u64::MAX / 1000)), None);
        assert_eq!(seconds(UNIX_EPOCH - Duration::from_secs(1)), Some(0.0));
    }

    #[test]
    fn a_text_of_others_is_cut_between_characters() {
        assert_eq!(text("short"), "short");
        let long = "ä".repeat(TEXT_MAX + 1);
        assert_eq!(text(&long), format!("{}…", "ä".repeat(TEXT_MAX)));
        assert_eq!(text(&long[2..]), long[2..]);
    }
}
