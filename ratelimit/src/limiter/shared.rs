//! A value that may come to have several owners, and mostly does not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Like an `Arc<Mutex<T>>`, but what has one owner lies within it, for which nothing is allocated.
pub(super) struct Shared<T>(Mutex<Place<T>>);

enum Place<T> {
    Here(T),
    Elsewhere(Arc<Mutex<T>>),
}

impl<T> Shared<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(Place::Here(value)))
    }

    /// Does something with the value that all its owners see.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        match &mut *lock(&self.0) {
            Place::Here(value) => act(value),
            Place::Elsewhere(value) => act(&mut lock(value)),
        }
    }
}

impl<T: Default> Clone for Shared<T> {
    /// Another owner of the same value.
    fn clone(&self) -> Self {
        let mut place = lock(&self.0);
        let shared = match &mut *place {
            Place::Here(value) => Arc::new(Mutex::new(std::mem::take(value))),
            Place::Elsewhere(value) => value.clone(),
        };
        *place = Place::Elsewhere(shared.clone());
        Self(Mutex::new(Place::Elsewhere(shared)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_owner_changes_the_others_see() {
        let first = Shared::new(1);
        first.with(|value| *value += 1);
        let second = first.clone();
        let third = second.clone();
        for owner in [&first, &second, &third] {
            owner.with(|value| *value += 1);
        }
        drop(first);
        assert_eq!(second.with(|value| *value), 5);
        assert_eq!(third.with(|value| *value), 5);
    }
}
