//! What the `metrics` facade is told, once a second and not at each request.
//!
//! Names and labels follow [Prometheus's conventions](https://prometheus.io/docs/practices/naming/);
//! the list is in the crate's documentation. Labels are names from the program's source, and never
//! anything that a request says.

use std::{collections::HashMap, time::Duration};

use hdrhistogram::Histogram;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::{counts::Totals, wrong_credentials::WrongCredentials};

/// What has been told already. Only what is new is added, since several limiters of a program share
/// the facade's counters.
#[derive(Default)]
pub(super) struct Exported {
    counts: HashMap<(&'static str, &'static str), Totals>,
    wrong_credentials: WrongCredentials,
}

impl Exported {
    pub(super) fn counts(
        &mut self,
        all: impl Iterator<Item = (&'static str, &'static str, Totals)>,
    ) {
        let mut sums: HashMap<(&'static str, &'static str), Totals> = HashMap::new();
        for (policy, tier, totals) in all {
            let sum = sums.entry((policy, tier)).or_default();
            *sum = sum.plus(&totals);
        }
        for ((policy, tier), totals) in sums {
            let told = self.counts.entry((policy, tier)).or_default();
            let new = totals.since(told);
            // First: what a recorder that panics has added must not be added again.
            *told = totals;
            let outcomes = [
                ("allowed", new.allowed),
                ("limited", new.limited),
                ("shadow", new.shadow),
                ("exempt", new.exempt),
                ("bypassed", new.bypassed),
                ("store_error", new.store_error),
            ];
            // All of them, also where there is nothing new: a rate needs a value to begin with.
            for (outcome, count) in outcomes {
                counter!(
                    "ratelimit_requests_total",
                    "policy" => policy,
                    "tier" => tier,
                    "outcome" => outcome,
                )
                .increment(count);
            }
        }
        // Each time, as the recorder may have been installed since the last.
        describe();
    }

    pub(super) fn wrong_credentials(&mut self, totals: WrongCredentials) {
        let told = std::mem::replace(&mut self.wrong_credentials, totals);
        let new = [
            (
                "dashboard_token",
                totals.dashboard_token - told.dashboard_token,
            ),
            ("bypass_secret", totals.bypass_secret - told.bypass_secret),
        ];
        for (credential, count) in new {
            counter!("ratelimit_wrong_credentials_total", "credential" => credential)
                .increment(count);
        }
    }
}

/// How long the checks of a second took.
pub(super) fn durations(second: &Histogram<u32>) {
    let histogram = histogram!("ratelimit_check_duration_seconds");
    for step in second.iter_recorded() {
        let time = Duration::from_nanos(step.value_iterated_to());
        let count = usize::try_from(step.count_at_value()).unwrap_or(usize::MAX);
        histogram.record_many(time.as_secs_f64(), count);
    }
}

/// How many different clients were turned away in the last minute.
pub(super) fn limited_clients(unique: u64) {
    let unique = u32::try_from(unique).unwrap_or(u32::MAX);
    gauge!("ratelimit_limited_clients").set(f64::from(unique));
}

/// Whether the limits are bypassed for everybody.
pub(crate) fn bypass(is_on: bool) {
    gauge!("ratelimit_bypass_active").set(f64::from(u8::from(is_on)));
}

/// Whether the store can be asked.
pub(crate) fn store_up(is_up: bool) {
    gauge!("ratelimit_store_up").set(f64::from(u8::from(is_up)));
    // Also before the first outage: it would not be seen to increase if it began with that.
    counter!("ratelimit_store_outages_total").increment(0);
}

/// Look-ups of API keys since the last time.
pub(crate) fn look_ups(new: &[(&'static str, u64)]) {
    for &(result, count) in new {
        counter!("ratelimit_tier_lookups_total", "result" => result).increment(count);
    }
}

fn describe() {
    describe_counter!(
        "ratelimit_requests_total",
        Unit::Count,
        "Requests under each policy, by the caller's tier and what became of them"
    );
    describe_histogram!(
        "ratelimit_check_duration_seconds",
        Unit::Seconds,
        "How long checks took; in memory one of 32 is timed"
    );
    describe_gauge!(
        "ratelimit_bypass_active",
        Unit::Count,
        "1 while nobody is limited because somebody has turned the limits off, else 0"
    );
    describe_gauge!(
        "ratelimit_store_up",
        Unit::Count,
        "1 while the store can be asked, 0 while it is not asked because it did not answer"
    );
    describe_counter!(
        "ratelimit_store_outages_total",
        Unit::Count,
        "How often the store stopped answering"
    );
    describe_counter!(
        "ratelimit_tier_lookups_total",
        Unit::Count,
        "Look-ups of the tiers of API keys: answered from the cache (hit), by the resolver (miss), not at all (error), or not begun since the client's address has used up its budget (throttled)"
    );
    describe_counter!(
        "ratelimit_wrong_credentials_total",
        Unit::Count,
        "Wrong tokens of the dashboard, and wrong bypass secrets"
    );
    describe_gauge!(
        "ratelimit_limited_clients",
        Unit::Count,
        "Different clients that were turned away in the last minute, by this process"
    );
}

#[cfg(test)]
mod tests {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    #[test]
    fn outages_are_counted_from_zero() {
        let recorder = DebuggingRecorder::new();
        metrics::with_local_recorder(&recorder, || store_up(true));
        let all = recorder.snapshotter().snapshot().into_vec();
        let outages = all
            .iter()
            .find(|(key, ..)| key.key().name() == "ratelimit_store_outages_total");
        let value = outages.map(|(.., value)| value);
        assert_eq!(value, Some(&DebugValue::Counter(0)), "{all:?}");
    }

    #[test]
    fn wrong_credentials_are_added_once() {
        let recorder = DebuggingRecorder::new();
        let counted = recorder.snapshotter();
        let totals = |bypass_secret| WrongCredentials {
            bypass_secret,
            ..WrongCredentials::default()
        };
        metrics::with_local_recorder(&recorder, || {
            let mut exported = Exported::default();
            exported.wrong_credentials(totals(3));
            exported.wrong_credentials(totals(5));
        });
        let all = counted.snapshot().into_vec();
        let mut counts: Vec<_> = all
            .iter()
            .flat_map(|(key, _, _, value)| {
                key.key().labels().map(move |label| (label.value(), value))
            })
            .collect();
        counts.sort_by_key(|(credential, _)| *credential);
        assert_eq!(
            counts,
            [
                ("bypass_secret", &DebugValue::Counter(5)),
                ("dashboard_token", &DebugValue::Counter(0)),
            ]
        );
    }

    #[test]
    fn what_is_new_is_added_with_labels_of_the_program_s_own() {
        let recorder = DebuggingRecorder::new();
        let counted = recorder.snapshotter();
        let totals = |limited| Totals {
            limited,
            ..Totals::default()
        };
        metrics::with_local_recorder(&recorder, || {
            let mut exported = Exported::default();
            exported.counts([("search", "free", totals(3))].into_iter());
            exported.counts([("search", "free", totals(5))].into_iter());
        });
        let all = counted.snapshot().into_vec();
        let limited = all.iter().find_map(|(key, _, help, value)| {
            let labels: Vec<_> = key
                .key()
                .labels()
                .map(|label| (label.key(), label.value()))
                .collect();
            let expected = [
                ("policy", "search"),
                ("tier", "free"),
                ("outcome", "limited"),
            ];
            (labels == expected).then_some((key.key().name(), help.is_some(), value))
        });
        assert_eq!(
            limited,
            Some(("ratelimit_requests_total", true, &DebugValue::Counter(5))),
            "{all:?}"
        );
    }
}
