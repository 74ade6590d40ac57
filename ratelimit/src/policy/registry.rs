//! Every limited handler and every shared policy of the program, known before the first request.

use std::{fmt, ptr};

use super::{Algorithm, Policy};

/// A limited handler, or a policy declared with `policy!`: where it is, and what limits it.
///
/// Its `Display` is a line for people:
/// `my_app::search at src/main.rs:59 (token_bucket, free 60 per 60s and 20 at once, pro 600 per 60s)`.
#[derive(Debug)]
pub struct PolicyEntry {
    name: &'static str,
    file: &'static str,
    line: u32,
    column: u32,
    policies: fn() -> Vec<&'static Policy>,
}

inventory::collect!(PolicyEntry);

impl PolicyEntry {
    /// What `#[rate_limit]` and `policy!` emit.
    #[doc(hidden)]
    pub const fn new(
        name: &'static str,
        file: &'static str,
        line: u32,
        column: u32,
        policies: fn() -> Vec<&'static Policy>,
    ) -> Self {
        Self {
            name,
            file,
            line,
            column,
            policies,
        }
    }

    /// The handler's path, or that of the policy's type.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The source file.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// The line in it.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The policies, in the order of their attributes.
    pub fn policies(&self) -> Vec<&'static Policy> {
        (self.policies)()
    }

    fn place(&self) -> (&'static str, u32, u32, &'static str) {
        (self.file, self.line, self.column, self.name)
    }
}

impl fmt::Display for PolicyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}:{}", self.name, self.file, self.line)?;
        for policy in self.policies() {
            f.write_str(" (")?;
            // By default a policy has the name of its handler.
            if policy.name() != self.name {
                write!(f, "{}: ", policy.name())?;
            }
            write_policy(policy, f)?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

fn write_policy(policy: &Policy, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let has_burst = policy.algorithm() == Algorithm::TokenBucket;
    f.write_str(policy.algorithm().name())?;
    for tier in policy.tiers() {
        let Some(quota) = tier.quota() else {
            write!(f, ", {} unlimited", tier.name())?;
            continue;
        };
        let (limit, per, burst) = (quota.limit(), quota.per(), quota.burst());
        write!(f, ", {} {limit} per {per:?}", tier.name())?;
        if has_burst && burst != limit {
            write!(f, " and {burst} at once")?;
        }
    }
    match policy.is_leased() {
        Some(true) => f.write_str(", leased")?,
        Some(false) => f.write_str(", strict")?,
        None => {}
    }
    if policy.is_shadow() {
        f.write_str(", in shadow mode")?;
    }
    Ok(())
}

/// All limited handlers and all policies declared with `policy!`, in the order of their files and
/// lines: for a line in the log at start, or a page that shows them.
///
/// ```
/// use ratelimit::rate_limit;
///
/// #[rate_limit(limit = 60)]
/// async fn search() {}
///
/// let entries = ratelimit::policies();
/// assert!(entries.iter().any(|entry| entry.name().ends_with("::search")));
/// ```
pub fn policies() -> Vec<&'static PolicyEntry> {
    let mut entries: Vec<&PolicyEntry> = inventory::iter::<PolicyEntry>().collect();
    entries.sort_by_key(|entry| entry.place());
    // An attribute such as #[debug_handler] may have emitted a handler twice.
    entries.dedup_by_key(|entry| entry.place());
    entries
}

/// Returns the policies whose name another policy has that is declared at another place: one after the
/// other those of each name, in the order of their files and lines.
pub(crate) fn namesakes() -> Vec<(&'static Policy, &'static PolicyEntry)> {
    let mut named: Vec<(&Policy, &PolicyEntry)> = Vec::new();
    for entry in policies() {
        // A policy that handlers share is declared once.
        let is_new = |policy: &&Policy| !named.iter().any(|(known, _)| ptr::eq(*known, *policy));
        let new: Vec<&Policy> = entry.policies().into_iter().filter(is_new).collect();
        named.extend(new.into_iter().map(|policy| (policy, entry)));
    }
    named.sort_by_key(|(policy, _)| policy.name());
    let of_one_name = named.chunk_by(|(one, _), (other, _)| one.name() == other.name());
    let several = of_one_name.filter(|policies| policies.len() > 1);
    several.flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Quota, Tier};

    #[test]
    fn its_line_says_what_is_in_force() {
        static SEARCH: Policy = Policy::new(
            "search",
            Algorithm::TokenBucket,
            &[
                Tier::new("free", Quota::per_minute(60).with_burst(20)),
                Tier::new("pro", Quota::per_minute(600)),
                Tier::unlimited("internal"),
            ],
        )
        .with_lease();
        static DAILY: Policy = Policy::new(
            "daily",
            Algorithm::FixedWindow,
            &[Tier::new("default", Quota::per_hour(5))],
        )
        .with_shadow();
        let entry = PolicyEntry::new("search", "src/main.rs", 59, 1, || vec![&SEARCH, &DAILY]);
        assert_eq!(
            entry.to_string(),
            "search at src/main.rs:59 \
             (token_bucket, free 60 per 60s and 20 at once, pro 600 per 60s, internal unlimited, leased) \
             (daily: fixed_window, default 5 per 3600s, in shadow mode)"
        );
    }
}
