//! What can be done from the page.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Problem, Shared, document};
use crate::{
    client::{ClientDigests, ClientId},
    limiter::{BypassError, RateLimiter, SetTierError, Standing},
    store::StoreError,
};

type Body = Result<Json<Value>, JsonRejection>;

/// The answer to an action, or what is wrong with it.
type Answer = Result<Json<Value>, Problem>;

pub(super) async fn peek(State(shared): State<Arc<Shared>>, body: Body) -> Answer {
    let client = client(&shared.limiter, &object(body)?)?;
    let standings = shared.limiter.buckets_of(client).await;
    Ok(standing(client, &standings.map_err(no_store)?))
}

pub(super) async fn reset(State(shared): State<Arc<Shared>>, body: Body) -> Answer {
    let client = client(&shared.limiter, &object(body)?)?;
    let standings = shared.limiter.reset_client(client).await;
    let standings = standings.map_err(no_store)?;
    let client_digest = shared.limiter.client_digest(client);
    tracing::info!(
        client = client_digest,
        "a client was given its quotas back from the dashboard"
    );
    Ok(standing(client, &standings))
}

pub(super) async fn set_tier(State(shared): State<Arc<Shared>>, body: Body) -> Answer {
    let body = object(body)?;
    let key = text(&body, "api_key")?;
    let tier = match &body["tier"] {
        Value::Null => None,
        _ => Some(text(&body, "tier")?),
    };
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

pub(super) async fn start_bypass(State(shared): State<Arc<Shared>>, body: Body) -> Answer {
    let body = object(body)?;
    let reason = text(&body, "reason")?;
    let minutes = body["minutes"].as_u64();
    let minutes = minutes.ok_or_else(|| wrong("minutes is a whole number of minutes"))?;
    let time = Duration::from_secs(minutes.saturating_mul(60));
    let started = shared.limiter.start_bypass(reason, time).await;
    let bypass = started.map_err(|problem| match problem {
        BypassError::Store(_) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem),
        wrong => self::wrong(wrong),
    })?;
    Ok(Json(json!({ "bypass": document::bypass(&bypass) })))
}

pub(super) async fn end_bypass(State(shared): State<Arc<Shared>>, body: Body) -> Answer {
    object(body)?;
    shared.limiter.end_bypass().await.map_err(no_store)?;
    Ok(Json(json!({ "bypass": null })))
}

fn object(body: Body) -> Result<Value, Problem> {
    match body {
        Ok(Json(value)) if value.is_object() => Ok(value),
        Ok(_) => Err(wrong("the body is a JSON object")),
        Err(rejection) => Err(Problem::new(rejection.status(), rejection.body_text())),
    }
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Problem> {
    let text = body[name].as_str();
    text.ok_or_else(|| wrong(format!("{name} is a text, and must be there")))
}

/// Returns the client that the body names by an API key, by its id, or by its name in the log.
fn client(limiter: &RateLimiter, body: &Value) -> Result<ClientId, Problem> {
    if let Some(key) = body["api_key"].as_str() {
        return Ok(ClientId::api_key(key.trim().as_bytes()));
    }
    let name = text(body, "client")?.trim();
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
    name.parse().map_err(wrong)
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
