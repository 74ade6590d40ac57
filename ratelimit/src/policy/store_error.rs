//! What happens to requests while the store cannot be asked.

/// What happens to requests while the store cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStoreError {
    /// The same limits are kept in this process's memory.
    #[default]
    Local,
    /// All of them are admitted.
    Allow,
    /// All of them are turned away, with 503 and `Retry-After`.
    Deny,
}
