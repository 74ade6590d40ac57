//! The log lines about tiers that callers are on and policies do not declare.

use std::sync::OnceLock;

use super::admin::all_policies;
use crate::policy::{Policy, Tier};

/// The number of names that are logged. What names tiers may be wrong in any number of ways.
const MAX_NAMES: usize = 16;

/// The longest part of a name that is logged and compared, in characters.
const LONGEST_SHOWN: usize = 64;

/// The tiers that were logged. They are read without a lock: a tier that a policy does not declare on
/// purpose costs each request of its callers no more than a few comparisons.
#[derive(Default)]
pub(super) struct UndeclaredTiers([OnceLock<Box<str>>; MAX_NAMES]);

impl UndeclaredTiers {
    /// Logs a tier that a policy does not declare, once for each name.
    #[cold]
    pub(super) fn log(&self, policy: &'static Policy, tier: &str) {
        let shown = shown(tier);
        if !self.is_new(shown) {
            return;
        }
        let default = policy.default_tier().name();
        let names = || all_policies().chain([policy]).flat_map(Policy::tiers);
        if names().any(|declared| declared.name() == tier) {
            tracing::info!(
                policy = policy.name(),
                tier = ?shown,
                "a caller is on a tier that other policies declare and this one does not, so it is on the \
                 default tier `{default}` here"
            );
            return;
        }
        let declared: Vec<&str> = policy.tiers().iter().map(Tier::name).collect();
        let declared = declared.join(", ");
        let fix = match similar(shown, names().map(Tier::name)) {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => {
                "put its API key or identity on a declared tier, or declare this one".to_owned()
            }
        };
        tracing::warn!(
            policy = policy.name(),
            tier = ?shown,
            declared,
            "a caller is on a tier that no policy declares, so it is on the default tier `{default}`; help: {fix}"
        );
    }

    /// Returns whether a name is seen for the first time, and is one of the first [`MAX_NAMES`].
    fn is_new(&self, name: &str) -> bool {
        for slot in &self.0 {
            let mut is_new = false;
            let known = slot.get_or_init(|| {
                is_new = true;
                name.into()
            });
            if is_new || **known == *name {
                return is_new;
            }
        }
        false
    }
}

/// Returns the part of a name that is shown.
pub(super) fn shown(tier: &str) -> &str {
    let mut ends = tier.char_indices().map(|(start, _)| start);
    let end = ends.nth(LONGEST_SHOWN).unwrap_or(tier.len());
    &tier[..end]
}

/// Returns the declared name that a misspelt one most resembles.
pub(super) fn similar<'a>(tier: &str, declared: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let tier = shown(tier).trim().to_lowercase();
    declared
        .map(|name| {
            (
                strsim::damerau_levenshtein(&tier, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| *distance <= (name.chars().count() / 2).clamp(1, 3))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_new_once_and_the_number_of_names_is_bounded() {
        let tiers = UndeclaredTiers::default();
        for _ in 0..3 {
            let new = (0..100).filter(|n| tiers.is_new(&n.to_string())).count();
            assert!(new == MAX_NAMES || new == 0, "{new}");
        }
        assert!(!tiers.is_new("0") && !tiers.is_new("another"));
    }

    #[test]
    fn a_misspelt_name_is_recognized() {
        let declared = ["free", "pro", "gold", "enterprise"];
        for (name, expected) in [
            ("glod", Some("gold")),
            ("Gold", Some("gold")),
            (" gold\n", Some("gold")),
            ("por", Some("pro")),
            ("entreprise", Some("enterprise")),
            ("ENTERPRIZE", Some("enterprise")),
            ("platinum", None),
            ("", None),
        ] {
            assert_eq!(similar(name, declared.into_iter()), expected, "{name:?}");
        }
        assert_eq!(similar(&"x".repeat(10 << 20), declared.into_iter()), None);
    }

    #[test]
    fn a_name_is_shown_in_part() {
        assert_eq!(shown("pro"), "pro");
        assert_eq!(shown(&"€".repeat(1_000)).chars().count(), LONGEST_SHOWN);
    }
}
