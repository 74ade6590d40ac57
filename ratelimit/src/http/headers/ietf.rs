//! `RateLimit-Policy` and `RateLimit`, as in version 11 of the [IETF draft]: lists of structured
//! fields ([RFC 9651]), one item for each policy and one for the tightest.
//!
//! The draft still moves; nothing outside of this file knows what it looks like.
//!
//! [IETF draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/11/
//! [RFC 9651]: https://www.rfc-editor.org/rfc/rfc9651

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::whole_seconds;
use crate::limiter::{Account, Accounts};

pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

pub(super) fn write(accounts: &Accounts, headers: &mut HeaderMap) {
    let policies: Vec<String> = accounts.iter().filter_map(policy).collect();
    insert(headers, RATE_LIMIT_POLICY, &policies.join(", "));
    if let Some(limit) = limit(accounts.tightest()) {
        insert(headers, RATE_LIMIT, &limit);
    }
}

/// `"search";q=60;w=60`: the quota and its window in seconds. A window that is not whole seconds
/// cannot be said, and is left out.
fn policy(account: &Account) -> Option<String> {
    let quota = account.bucket()?.quota();
    if account.policy.is_shadow() {
        return None;
    }
    let mut item = string(account.policy.name());
    // Writing to a String cannot fail.
    let _ = write!(item, ";q={}", quota.limit());
    if quota.per().subsec_nanos() == 0 {
        let _ = write!(item, ";w={}", quota.per().as_secs());
    }
    Some(item)
}

/// `"search";r=0;t=12`: what is left, and the seconds until there is more. For a request that was
/// turned away these are those of `Retry-After`, which must not be earlier.
fn limit(account: &Account) -> Option<String> {
    let decision = account.decision?;
    let more_after = decision.retry_after.unwrap_or(decision.reset_after);
    let mut item = string(account.policy.name());
    let seconds = whole_seconds(more_after);
    let _ = write!(item, ";r={};t={seconds}", decision.remaining);
    Some(item)
}

/// A string of structured fields holds printable ASCII only.
fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('_'),
        }
    }
    quoted.push('"');
    quoted
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Of printable ASCII it always is one.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_strings_of_structured_fields() {
        assert_eq!(string("my_app::search"), r#""my_app::search""#);
        assert_eq!(string(r#"a "b" \c"#), r#""a \"b\" \\c""#);
        assert_eq!(string("größe\n"), r#""gr__e_""#);
    }
}
