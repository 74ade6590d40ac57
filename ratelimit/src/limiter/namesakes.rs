//! Policies of one name, under a limiter for tests.
//!
//! Functions within functions have the module path of those around them, so the handlers that two
//! tests declare are often namesakes. That matters only if one limiter is asked about both: they would
//! share their buckets.

use std::{
    collections::HashMap,
    ptr,
    sync::{Mutex, PoisonError},
};

use super::{BuildError, account::Accounts};
use crate::policy::{Policy, PolicyEntry, policies, registry};

/// The namesakes of the program, and which of each name this limiter was asked about.
#[derive(Default)]
pub(super) struct Namesakes {
    all: Vec<(&'static Policy, &'static PolicyEntry)>,
    used: Mutex<HashMap<&'static str, &'static Policy>>,
}

impl Namesakes {
    /// The namesakes among these.
    pub(super) fn new(entries: &[&'static PolicyEntry]) -> Self {
        Self {
            all: registry::namesakes(entries),
            used: Mutex::default(),
        }
    }

    /// Returns an error if the program has namesakes.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        match self.all.first() {
            Some(&(first, _)) => Err(error(&self.all, first)),
            None => Ok(()),
        }
    }

    /// # Panics
    ///
    /// Panics if one of these accounts has a namesake that this limiter was asked about before.
    pub(super) fn assert_apart(&self, accounts: &Accounts) {
        for account in accounts.iter() {
            let policy = account.policy;
            let used = *self
                .used
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(policy.name())
                .or_insert(policy);
            if !ptr::eq(used, policy) {
                // Those that are written by hand have become known since the limiter was built.
                let all = registry::namesakes(&policies());
                let is_one = |policy| all.iter().any(|&(known, _)| ptr::eq(known, policy));
                assert!(!is_one(used) || !is_one(policy), "{}", error(&all, policy));
            }
        }
    }
}

fn error(all: &[(&'static Policy, &'static PolicyEntry)], policy: &Policy) -> BuildError {
    let name = policy.name();
    let mut places = all
        .iter()
        .filter(|(other, _)| other.name() == name)
        .map(|(_, entry)| entry.to_string());
    BuildError::Namesakes {
        name,
        first: places.next().unwrap_or_default(),
        second: places.next().unwrap_or_default(),
    }
}
