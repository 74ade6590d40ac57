//! How log lines name clients: by digests that cannot be computed without a key.

use std::{collections::hash_map::RandomState, fmt::Write, hash::BuildHasher};

use hmac::{Hmac, KeyInit, Mac};
use once_cell::sync::Lazy;
use sha2::Sha256;

use super::ClientId;

/// What tells a digest from the text of a [`ClientId`].
const MARK: &str = ":hmac:";

/// Bytes of a digest: enough to tell the clients of a log from each other.
const LENGTH: usize = 8;

/// Makes the digests that clients have in log lines: HMAC-SHA-256 of their ids.
///
/// An id is itself a digest, but one without a key: a reader of the log could compute it for each email
/// address of a list, and see who is in the log.
pub(crate) struct ClientDigests(Hmac<Sha256>);

impl ClientDigests {
    /// Digests that are the same in all processes that have this secret.
    pub(crate) fn with_secret(secret: &str) -> Self {
        Self::with_key(secret.as_bytes())
    }

    fn with_key(key: &[u8]) -> Self {
        let hmac = Hmac::new_from_slice(key);
        Self(hmac.expect("HMAC takes a key of any length"))
    }

    /// Returns how a log line names a client. Addresses are named as they are.
    pub(crate) fn name(&self, client: ClientId) -> String {
        let id = client.to_string();
        let Some((kind, _)) = client.is_digest().then(|| id.split_once(':')).flatten() else {
            return id;
        };
        let mut hmac = self.0.clone();
        hmac.update(id.as_bytes());
        let digest = hmac.finalize().into_bytes();
        let mut name = format!("{kind}{MARK}");
        for byte in digest.iter().take(LENGTH) {
            // Writing to a `String` does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    /// Whether a text has the form of a digest. No [`ClientId`] is shown like that.
    #[cfg(feature = "dashboard")]
    pub(crate) fn is_digest(text: &str) -> bool {
        text.contains(MARK)
    }
}

impl Default for ClientDigests {
    /// Digests with a key of this process's own, which ends with it.
    fn default() -> Self {
        static KEY: Lazy<[u8; 32]> = Lazy::new(|| {
            let mut key = [0; 32];
            for part in key.chunks_exact_mut(8) {
                // It is keyed with random bytes of the system's.
                part.copy_from_slice(&RandomState::new().hash_one(MARK).to_ne_bytes());
            }
            key
        });
        Self::with_key(&*KEY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of thirty-two characters";

    #[test]
    fn a_client_is_named_as_the_documented_command_prints_it() {
        let alice = ClientId::identity(b"alice@example.com");
        assert_eq!(
            ClientDigests::with_secret(SECRET).name(alice),
            "identity:hmac:a51d512dec73e79a"
        );
        let address = ClientId::ip([203, 0, 113, 7].into());
        for open in [address, ClientId::EVERYBODY, ClientId::UNKNOWN_IP] {
            assert_eq!(ClientDigests::default().name(open), open.to_string());
        }
    }

    #[test]
    fn a_name_needs_the_secret_and_is_no_id() {
        let clients = [
            ClientId::api_key(b"k"),
            ClientId::identity(b"k"),
            ClientId::header(b"k"),
            ClientId::path("k"),
            ClientId::value("k"),
            ClientId::all([ClientId::path("k")]),
        ];
        let digests = [
            ClientDigests::default(),
            ClientDigests::with_secret(SECRET),
            ClientDigests::with_secret("another of thirty-two characters!"),
        ];
        let mut names: Vec<String> = digests
            .iter()
            .flat_map(|digests| clients.map(|client| digests.name(client)))
            .collect();
        for (name, client) in names.iter().zip(clients.iter().cycle()) {
            let id = client.to_string();
            let (_, digits) = id.split_once(':').expect("a kind and digits");
            assert!(!name.contains(&digits[..8]), "{name} of {id}");
            assert!(name.parse::<ClientId>().is_err(), "{name}");
        }
        assert_eq!(ClientDigests::default().name(clients[0]), names[0]);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), digests.len() * clients.len());
    }
}
