//! Whom axum-limit limits: its keys are extracted from a request, and written out for the store.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use axum_limit::{Key, StorageKey};

/// What the header `X-API-Key` says.
#[derive(Clone)]
pub struct ApiKey(pub String);

impl<S: Sync> FromRequestParts<S> for ApiKey {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let key = parts.headers.get("X-API-Key");
        let key = key.and_then(|key| key.to_str().ok());
        let key = key.ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Self(key.to_owned()))
    }
}

impl Key for ApiKey {
    type Extractor = Self;

    fn from_extractor(extractor: &Self) -> Self {
        extractor.clone()
    }
}

impl StorageKey for ApiKey {
    fn storage_key(&self) -> String {
        self.0.clone()
    }
}
