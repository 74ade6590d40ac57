//! A value that may come to have several owners, and mostly does not.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Like an `Arc<Mutex<T>>`, but as long as it has one owner and is not changed, the value lies within
/// it: nothing is allocated for it, and nothing locked.
pub(super) struct Shared<T> {
    first: T,
    /// What it is now, where somebody else might see that.
    shared: OnceLock<Arc<Mutex<T>>>,
}

impl<T: Clone> Shared<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            first: value,
            shared: OnceLock::new(),
        }
    }

    /// Looks at the value.
    pub(super) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        match self.shared.get() {
            Some(shared) => look(&lock(shared)),
            None => look(&self.first),
        }
    }

    /// Does something to the value that all its owners see.
    pub(super) fn change<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut lock(self.shared()))
    }

    fn shared(&self) -> &Arc<Mutex<T>> {
        self.shared
            .get_or_init(|| Arc::new(Mutex::new(self.first.clone())))
    }
}

impl<T: Clone> Clone for Shared<T> {
    /// Another owner of the same value.
    fn clone(&self) -> Self {
        Self {
            first: self.first.clone(),
            shared: OnceLock::from(self.shared().clone()),
        }
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
        first.change(|value| *value += 1);
        let second = first.clone();
        let third = second.clone();
        for owner in [&first, &second, &third] {
            owner.change(|value| *value += 1);
        }
        drop(first);
        assert_eq!(second.read(|value| *value), 5);
        assert_eq!(third.read(|value| *value), 5);
    }
}
