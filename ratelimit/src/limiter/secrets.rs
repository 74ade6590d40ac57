//! Secrets with which a request is not limited, for whoever has to work through an emergency.

use http::{HeaderName, HeaderValue, request::Parts};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{BuildError, Caller, RateLimiter};
use crate::{client::FieldValue, foreign_text::ForeignText, policy::Policy};

/// The header with the secret, where the limiter names no other.
static HEADER: HeaderName = HeaderName::from_static("x-ratelimit-bypass");

/// A secret that can be guessed is none.
pub(super) const SHORTEST: usize = 32;

/// What is longer is not looked at: what a request makes the limiter do is bounded.
pub(super) const LONGEST: usize = 512;

/// The secrets that let a request pass, as digests.
pub(super) struct Secrets {
    header: HeaderName,
    digests: Vec<[u8; 32]>,
}

impl Secrets {
    /// `None` where there are none.
    ///
    /// # Errors
    ///
    /// One of them could be guessed or cannot be sent, or there is a header for none.
    pub(super) fn of(
        header: Option<HeaderName>,
        secrets: &[String],
    ) -> Result<Option<Self>, BuildError> {
        if secrets.is_empty() {
            return match header {
                Some(_) => Err(BuildError::HeaderWithoutSecret),
                None => Ok(None),
            };
        }
        for secret in secrets {
            if !(SHORTEST..=LONGEST).contains(&secret.len()) {
                return Err(BuildError::BypassSecret(secret.len()));
            }
            if HeaderValue::from_str(secret).is_err() || secret.trim() != secret {
                return Err(BuildError::BypassSecretNoHeader);
            }
        }
        let digests = secrets.iter().map(|secret| Sha256::digest(secret).into());
        Ok(Some(Self {
            header: header.unwrap_or_else(|| HEADER.clone()),
            digests: digests.collect(),
        }))
    }

    /// Returns whether the request has one of the secrets; `None` if it has no such header. Of several
    /// lines that differ none counts. How long it takes says nothing of how near a guess is: digests
    /// are compared, all of them and in constant time.
    fn are_in(&self, parts: &Parts) -> Option<bool> {
        let value = match FieldValue::of(&parts.headers, &self.header) {
            FieldValue::Missing => return None,
            FieldValue::One(value) => value.as_bytes(),
            FieldValue::Ambiguous => return Some(false),
        };
        if value.len() > LONGEST {
            return Some(false);
        }
        let digest: [u8; 32] = Sha256::digest(value).into();
        let mut found = Choice::from(0);
        for known in &self.digests {
            found |= known.ct_eq(&digest);
        }
        Some(found.into())
    }
}

impl RateLimiter {
    /// Returns whether the limits are turned off for this request.
    #[inline]
    pub(super) fn is_bypassed(&self, caller: &Caller<'_>) -> bool {
        let are_in = |known: &Secrets| known.are_in(caller.parts()) == Some(true);
        self.0.watch.bypass.is_on(&*self.0.clock) || self.0.secrets.as_ref().is_some_and(are_in)
    }

    /// Logs the secret of a request, if it has one, and counts a wrong one: once for each check, of
    /// however many policies.
    #[inline]
    pub(super) fn report_secret(&self, policy: &Policy, caller: &Caller<'_>) {
        if let Some(known) = &self.0.secrets
            && let Some(is_right) = known.are_in(caller.parts())
        {
            self.log_secret(is_right, policy, caller);
        }
    }

    #[cold]
    fn log_secret(&self, is_right: bool, policy: &Policy, caller: &Caller<'_>) {
        if is_right {
            self.0.used_secret.log(|left_out| {
                tracing::warn!(
                    policy = policy.name(),
                    path = ForeignText(caller.parts().uri.path()).to_string(),
                    client = self.0.digests.name(self.by_ip(caller)),
                    left_out,
                    "a request with a bypass secret is not limited"
                );
            });
        } else {
            self.0.watch.observer.wrong_credentials.add_bypass_secret();
            self.0.wrong_secret.log(|left_out| {
                tracing::warn!(
                    policy = policy.name(),
                    client = %self.by_ip(caller),
                    left_out,
                    "a request came with a bypass secret that is none of this limiter's"
                );
            });
        }
    }
}
