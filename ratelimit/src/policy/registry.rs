//! Every limited handler and every shared policy of the program: those of the macros, known before the
//! first request, and those that are written by hand, known by the time they are used.

use std::{
    any::TypeId,
    collections::HashSet,
    fmt,
    panic::Location,
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use once_cell::sync::Lazy;

use super::{Algorithm, Policy};

/// A limited handler, or a policy that is declared with `policy!` or written by hand: where it is, and
/// what limits it.
///
/// Its `Display` is a line for people:
/// `my_app::search at src/main.rs:59 (token_bucket, free 60 per 60s and 20 at once, pro 600 per 60s)`.
#[derive(Debug)]
pub struct PolicyEntry {
    name: &'static str,
    place: Option<Place>,
    policies: Policies,
}

/// A place in the program's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: &'static str,
    line: u32,
    column: u32,
}

#[derive(Debug)]
enum Policies {
    /// What a handler or a source has, in the order of its attributes.
    Of(fn() -> Vec<&'static Policy>),
    /// One that was written by hand, and is known by a check.
    Checked(&'static Policy),
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
            place: Some(Place { file, line, column }),
            policies: Policies::Of(policies),
        }
    }

    /// Returns the handler's path, that of the policy's type or, for a policy that is known by a check
    /// alone, its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the source file. `None` for a policy that is known by a check alone.
    pub fn file(&self) -> Option<&'static str> {
        Some(self.place?.file)
    }

    /// Returns the line in the file: that of the attribute or of `policy!`, or the one that makes the
    /// policy known.
    pub fn line(&self) -> Option<u32> {
        Some(self.place?.line)
    }

    /// The policies, in the order of their attributes.
    pub fn policies(&self) -> Vec<&'static Policy> {
        match self.policies {
            Policies::Of(policies) => policies(),
            Policies::Checked(policy) => vec![policy],
        }
    }

    /// Returns what entries are sorted by: those without a place come last.
    fn order(&self) -> (bool, Option<Place>, &'static str) {
        (self.place.is_none(), self.place, self.name)
    }

    fn is_checked(&self) -> bool {
        matches!(self.policies, Policies::Checked(_))
    }

    /// Logs that its limits are in force, with one event for each policy.
    fn log(&self) {
        for policy in self.policies() {
            let source = (policy.name() != self.name).then_some(self.name);
            let location = self
                .place
                .map(|Place { file, line, .. }| format!("{file}:{line}"));
            tracing::info!(
                policy = policy.name(),
                source,
                limits = %Limits(policy),
                location,
                "a rate limit is in force"
            );
        }
    }
}

impl fmt::Display for PolicyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some(Place { file, line, .. }) = self.place {
            write!(f, " at {file}:{line}")?;
        }
        for policy in self.policies() {
            f.write_str(" (")?;
            // By default a policy has the name of its handler.
            if policy.name() != self.name {
                write!(f, "{}: ", policy.name())?;
            }
            write!(f, "{})", Limits(policy))?;
        }
        Ok(())
    }
}

/// The limits of a policy as a line for people.
struct Limits(&'static Policy);

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.0;
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
}

/// Returns all limited handlers, all policies declared with `policy!`, and those written by hand that are
/// known by now, in the order of their files and lines: for a page that shows them.
/// [`RateLimiter::install`](crate::RateLimiter::install) logs them.
///
/// What the macros emit is known before `main`. A [`PolicySource`](crate::PolicySource) that is written
/// by hand is known
///
/// - once the builder is given it with [`policy_source`](crate::Builder::policy_source),
/// - once a [`RateLimitLayer`](crate::RateLimitLayer) with it is made, or
/// - else once a request is checked under its policies, in a handler or by
///   [`RateLimiter::check`](crate::RateLimiter::check). It then has neither file nor line.
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
    let mut entries = declared();
    let mut known: HashSet<*const Policy> =
        entries.iter().flat_map(|entry| pointers(entry)).collect();
    for entry in written() {
        // A source may be that of an attribute or of `policy!`, which is listed already, and what is
        // checked may be a source's.
        let new: Vec<_> = pointers(entry)
            .filter(|policy| !known.contains(policy))
            .collect();
        if !new.is_empty() {
            known.extend(new);
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| entry.order());
    entries
}

/// Returns what `#[rate_limit]` and `policy!` emit, in the order of their files and lines.
pub(crate) fn declared() -> Vec<&'static PolicyEntry> {
    let mut entries: Vec<&PolicyEntry> = inventory::iter::<PolicyEntry>().collect();
    entries.sort_by_key(|entry| entry.order());
    // An attribute such as #[debug_handler] may have emitted a handler twice.
    entries.dedup_by_key(|entry| entry.order());
    entries
}

fn pointers(entry: &PolicyEntry) -> impl Iterator<Item = *const Policy> + use<> {
    entry.policies().into_iter().map(ptr::from_ref)
}

/// The policies that are written by hand, as far as they are known.
#[derive(Default)]
struct WrittenPolicies {
    /// By the sources' types.
    sources: Vec<(TypeId, &'static PolicyEntry)>,
    /// Those under which requests were checked.
    checked: Vec<&'static PolicyEntry>,
    /// Whether the policies have been logged, so that those that are found later are, too.
    are_logged: bool,
    /// The names of several policies that have been logged as such.
    logged_namesakes: HashSet<&'static str>,
}

fn lock() -> MutexGuard<'static, WrittenPolicies> {
    static WRITTEN: Lazy<Mutex<WrittenPolicies>> = Lazy::new(Mutex::default);
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the entries that are written by hand, those of sources first.
///
/// They are copied, as a source's policies are made by code of the application's.
fn written() -> Vec<&'static PolicyEntry> {
    let written = lock();
    let sources = written.sources.iter().map(|(_, entry)| *entry);
    sources.chain(written.checked.iter().copied()).collect()
}

/// Makes the policies of a source known, at the place that is the first to do so.
pub(crate) fn register_source(
    id: TypeId,
    name: &'static str,
    location: &'static Location<'static>,
    policies: fn() -> Vec<&'static Policy>,
) -> &'static PolicyEntry {
    let mut written = lock();
    if let Some((_, known)) = written.sources.iter().find(|(known, _)| *known == id) {
        return known;
    }
    let (file, line, column) = (location.file(), location.line(), location.column());
    let entry: &PolicyEntry = Box::leak(Box::new(PolicyEntry::new(
        name, file, line, column, policies,
    )));
    written.sources.push((id, entry));
    let are_logged = written.are_logged;
    drop(written);
    if are_logged {
        log_if_listed(entry);
    }
    entry
}

/// Makes a policy known under which a request is checked. It is called once for each limiter, policy and
/// tier.
pub(crate) fn register_checked(policy: &'static Policy) {
    static DECLARED: Lazy<HashSet<usize>> = Lazy::new(|| {
        let entries = inventory::iter::<PolicyEntry>();
        let policies = entries.flat_map(PolicyEntry::policies);
        policies
            .map(|policy| ptr::from_ref(policy).addr())
            .collect()
    });
    if DECLARED.contains(&ptr::from_ref(policy).addr()) {
        return;
    }
    let mut written = lock();
    let is_known = |entry: &&PolicyEntry| matches!(entry.policies, Policies::Checked(known) if ptr::eq(known, policy));
    if written.checked.iter().any(is_known) {
        return;
    }
    let entry: &PolicyEntry = Box::leak(Box::new(PolicyEntry {
        name: policy.name(),
        place: None,
        policies: Policies::Checked(policy),
    }));
    written.checked.push(entry);
    let are_logged = written.are_logged;
    drop(written);
    if are_logged {
        log_if_listed(entry);
    }
    log_namesakes(|name| name == policy.name());
}

/// Logs an entry that is found later than the others, unless its policies are those of another one.
fn log_if_listed(entry: &'static PolicyEntry) {
    if policies().iter().any(|listed| ptr::eq(*listed, entry)) {
        entry.log();
    }
}

/// Logs the policies that are known, and from now on each that is found later.
pub(crate) fn log_policies() {
    lock().are_logged = true;
    let entries = policies();
    for entry in &entries {
        entry.log();
    }
    let count: usize = entries.iter().map(|entry| entry.policies().len()).sum();
    tracing::info!(count, "rate limits are in force");
    log_namesakes(|_| true);
}

/// Logs once of each of these names that several policies have it.
fn log_namesakes(is_meant: impl Fn(&str) -> bool) {
    // `namesakes` compares each with each: of a thousand policies that are found one after the other,
    // only those of the same name.
    let mut entries = policies();
    entries.retain(|entry| {
        entry
            .policies()
            .iter()
            .any(|policy| is_meant(policy.name()))
    });
    let mut all = namesakes(&entries);
    all.retain(|(policy, _)| is_meant(policy.name()));
    for of_one_name in all.chunk_by(|(one, _), (other, _)| one.name() == other.name()) {
        let [(policy, first), (_, second), ..] = of_one_name else {
            continue;
        };
        if lock().logged_namesakes.insert(policy.name()) {
            tracing::warn!(
                policy = policy.name(),
                first = %first,
                second = %second,
                "two policies have one name: give one of them another, or share one policy"
            );
        }
    }
}

/// Returns the policies whose name another policy has that is declared at another place: one after the
/// other those of each name, in the order of their files and lines.
pub(crate) fn namesakes(
    entries: &[&'static PolicyEntry],
) -> Vec<(&'static Policy, &'static PolicyEntry)> {
    let mut named: Vec<(&Policy, &PolicyEntry)> = Vec::new();
    for &entry in entries {
        // A policy that handlers share is declared once. What is checked by hand may be a copy.
        let is_known = |policy: &Policy| {
            named.iter().any(|(known, of)| {
                ptr::eq(*known, policy)
                    || ((entry.is_checked() || of.is_checked()) && is_copy(known, policy))
            })
        };
        let mut new = entry.policies();
        new.retain(|policy| !is_known(policy));
        named.extend(new.into_iter().map(|policy| (policy, entry)));
    }
    named.sort_by_key(|(policy, _)| policy.name());
    let of_one_name = named.chunk_by(|(one, _), (other, _)| one.name() == other.name());
    let several = of_one_name.filter(|policies| policies.len() > 1);
    several.flatten().copied().collect()
}

/// Returns whether a policy may be a copy of another: a `const` policy has an address for each of its uses.
fn is_copy(policy: &Policy, other: &Policy) -> bool {
    let tiers = policy.tiers().iter().zip(other.tiers());
    policy.id() == other.id()
        && policy.tiers().len() == other.tiers().len()
        && tiers.into_iter().all(|(tier, other)| tier == other)
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
