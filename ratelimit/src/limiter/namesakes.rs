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
use crate::policy::{Policy, PolicyEntry, registry};

/// The namesakes of the program, and which of each name this limiter was asked about.
#[derive(Default)]
pub(super) struct Namesakes {
    all: Vec<(&'static Policy, &'static PolicyEntry)>,
    used: Mutex<HashMap<&'static str, &'static Policy>>,
}

impl Namesakes {
    pub(super) fn new() -> Self {
        Self {
            all: registry::namesakes(),
            used: Mutex::default(),
        }
    }

    /// Returns an error if the program has namesakes.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        match self.all.first() {
            Some(&(first, _)) => Err(self.error(first)),
            None => Ok(()),
        }
    }

    /// # Panics
    ///
    /// Panics if one of these accounts has a namesake that this limiter was asked about before.
    pub(super) fn assert_apart(&self, accounts: &Accounts) {
        if self.all.is_empty() {
            return;
        }
        for account in accounts.iter() {
            let policy = account.policy;
            if !self.all.iter().any(|&(known, _)| ptr::eq(known, policy)) {
                continue;
            }
            let used = *self
                .used
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(policy.name())
                .or_insert(policy);
            assert!(ptr::eq(used, policy), "{}", self.error(policy));
        }
    }

    fn error(&self, policy: &'static Policy) -> BuildError {
        let name = policy.name();
        let mut places = self
            .all
            .iter()
            .filter(|(other, _)| other.name() == name)
            .map(|(_, entry)| entry.to_string());
        BuildError::Namesakes {
            name,
            first: places.next().unwrap_or_default(),
            second: places.next().unwrap_or_default(),
        }
    }
}
