//! What can be done from the page.

use std::{fmt, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Problem, Shared, body::ActionBody, document};
use crate::{
    LONGEST_API_KEY,
    client::{ApiKey, ClientDigests, ClientId},
    limiter::{BypassError, RateLimiter, SetTierError, Standing},
    store::StoreError,
};

/// The answer to an action, or what is wrong with it.
type Answer = Result<Json<Value>, Problem>;

/// A client, by one of its names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientBody {
    #[serde(default, deserialize_with = "not_null")]
    client: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    api_key: Option<String>,
}

/// An API key and its new tier. `null` has to be written: a field that was forgotten, or that is
/// misspelt, must not make the key unknown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TierBody {
    api_key: String,
    #[serde(deserialize_with = "Option::deserialize")]
    tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BypassBody {
    reason: String,
    minutes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmptyBody {}

/// Reads a field that may be missing and must not be `null`.
fn not_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

pub(super) async fn peek(
    State(shared): State<Arc<Shared>>,
    ActionBody(body): ActionBody<ClientBody>,
) -> Answer {
    let client = client(&shared.limiter, &body)?;
    let standings = shared.limiter.buckets_of(client).await;
    Ok(standing(client, &standings.map_err(no_store)?))
}

pub(super) async fn reset(
    State(shared): State<Arc<Shared>>,
    ActionBody(body): ActionBody<ClientBody>,
) -> Answer {
    let client = client(&shared.limiter, &body)?;
    let standings = shared.limiter.reset_client(client).await;
    let standings = standings.map_err(no_store)?;
    let client_digest = shared.limiter.client_digest(client);
    tracing::info!(
        client = client_digest,
        "a client was given its quotas back from the dashboard"
    );
    Ok(standing(client, &standings))
}

pub(super) async fn set_tier(
    State(shared): State<Arc<Shared>>,
    ActionBody(body): ActionBody<TierBody>,
) -> Answer {
    let key = api_key(&body.api_key)?;
    let tier = body.tier.as_deref();
    shared
        .limiter
        .set_tier(key, tier)
        .await
        .map_err(|problem| match problem {
            SetTierError::Store(problem) => no_store(problem),
            wrong => self::wrong(wrong),
        })?;
    let client = ClientId::api_key(key.as_bytes());
    let client_digest = shared.limiter.client_digest(client);
    tracing::info!(
        client = client_digest,
        tier,
        "an API key was put on a tier from the dashboard"
    );
    Ok(Json(json!({ "client": client.to_string(), "tier": tier })))
}

pub(super) async fn start_bypass(
    State(shared): State<Arc<Shared>>,
    ActionBody(body): ActionBody<BypassBody>,
) -> Answer {
    let time = Duration::from_secs(body.minutes.saturating_mul(60));
    let started = shared.limiter.start_bypass(&body.reason, time).await;
    let bypass = started.map_err(|problem| match problem {
        BypassError::Store(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem),
        wrong => self::wrong(wrong),
    })?;
    Ok(Json(json!({ "bypass": document::bypass(&bypass) })))
}

pub(super) async fn end_bypass(
    State(shared): State<Arc<Shared>>,
    ActionBody(EmptyBody {}): ActionBody<EmptyBody>,
) -> Answer {
    shared.limiter.end_bypass().await.map_err(no_store)?;
    Ok(Json(json!({ "bypass": null })))
}

/// Returns the client that the body names by an API key, by its id, or by its name in the log.
fn client(limiter: &RateLimiter, body: &ClientBody) -> Result<ClientId, Problem> {
    let name = match (&body.client, &body.api_key) {
        (Some(name), None) => name.trim(),
        (None, Some(key)) => return Ok(ClientId::api_key(api_key(key)?.as_bytes())),
        (None, None) => return Err(wrong("missing field `client` or `api_key`")),
        (Some(_), Some(_)) => return Err(wrong("`client` and `api_key` are both there: send one")),
    };
    if ClientDigests::is_digest(name) {
        let client = limiter.find_client(name);
        return client.ok_or_else(|| {
            wrong(
                "this is how the log names a client, and it can be found for as long as this process lists the \
                 client among those that it has turned away in the last five minutes: name it by its id or its \
                 API key",
            )
        });
    }
    let client = name.parse().map_err(wrong)?;
    Ok(limiter.client_of(client))
}

/// Returns the key as a request's header carries it: without white space around it.
fn api_key(text: &str) -> Result<&str, Problem> {
    let key = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let header = HeaderValue::from_bytes(key.as_bytes());
    match header.ok().as_ref().and_then(ApiKey::from_header) {
        Some(_) => Ok(key),
        None => Err(wrong(format_args!(
            "`api_key` is not a key that a header can carry: it is 1 to {LONGEST_API_KEY} bytes long, without control characters"
        ))),
    }
}

fn standing(client: ClientId, standings: &[Standing]) -> Json<Value> {
    let buckets = standings.iter().map(|standing| {
        let bucket = &standing.bucket;
        json!({
            "policy": bucket.policy().name(),
            "tier": bucket.tier().name(),
            "algorithm": bucket.algorithm().name(),
            "limit": bucket.quota().limit(),
            "per_seconds": bucket.quota().per().as_secs_f64(),
            "remaining": standing.remaining,
            "reset_seconds": standing.reset_after.as_secs_f64(),
            "is_corrupt": standing.is_corrupt,
        })
    });
    Json(json!({
        "client": client.to_string(),
        "buckets": buckets.collect::<Vec<_>>(),
    }))
}

fn wrong(text: impl fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text)
}

fn no_store(problem: StoreError) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem)
}
