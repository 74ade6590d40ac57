//! `identity`: callers that the application itself has recognised.

use axum::{
    Extension, Router,
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts, State},
    http::{StatusCode, request::Parts},
    routing::get,
};
use ratelimit::{Identified, Identity, RateLimitStatus, RateLimiter, rate_limit};
use ratelimit_tests::{App, header};

use crate::limiters;

/// Names and plans by session; a part of the app's state.
#[derive(Clone)]
struct Sessions(&'static [(&'static str, &'static str, &'static str)]);

#[derive(Clone)]
struct AppState {
    sessions: Sessions,
}

impl FromRef<AppState> for Sessions {
    fn from_ref(state: &AppState) -> Self {
        state.sessions.clone()
    }
}

struct User {
    name: &'static str,
    plan: &'static str,
}

impl<S> FromRequestParts<S> for User
where
    S: Send + Sync,
    Sessions: FromRef<S>,
{
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let State(Sessions(sessions)) = State::<Sessions>::from_request_parts(parts, state)
            .await
            .map_err(|never| match never {})?;
        let session = parts.headers.get("x-session");
        let user = sessions
            .iter()
            .find(|(known, ..)| session.is_some_and(|session| session == known));
        let (_, name, plan) = user.ok_or((StatusCode::UNAUTHORIZED, "log in first"))?;
        Ok(Self { name, plan })
    }
}

impl<S> OptionalFromRequestParts<S> for User
where
    S: Send + Sync,
    Sessions: FromRef<S>,
{
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        if !parts.headers.contains_key("x-session") {
            return Ok(None);
        }
        let user = <Self as FromRequestParts<S>>::from_request_parts(parts, state);
        user.await.map(Some)
    }
}

impl Identity for User {
    fn identify(&self) -> Option<Identified<'_>> {
        Some(Identified::new(self.name).on_tier(self.plan))
    }
}

#[rate_limit(identity = User, free = 2, pro = 4)]
async fn for_users(user: User, status: RateLimitStatus) -> String {
    format!("{} on {}", user.name, status.tier().name())
}

#[rate_limit(identity = Option<User>, free = 2, pro = 4)]
async fn for_anybody(status: RateLimitStatus) -> &'static str {
    status.tier().name()
}

fn router(limiter: RateLimiter) -> Router {
    let sessions = Sessions(&[
        ("s-ann", "ann", "pro"),
        ("s-ann-again", "ann", "pro"),
        ("s-bob", "bob", "free"),
        ("s-eve", "eve", "no such plan"),
    ]);
    Router::new()
        .route("/users", get(for_users))
        .route("/anybody", get(for_anybody))
        .with_state(AppState { sessions })
        .layer(Extension(limiter))
}

async fn send(app: &App, path: &str, session: Option<&str>) -> (u16, String, String) {
    let mut request = app.get(path);
    if let Some(session) = session {
        request = request.header("x-session", session);
    }
    let response = request.send().await.expect("an answer");
    let left = header(&response, "x-ratelimit-remaining").unwrap_or("-");
    let left = left.to_owned();
    let status = response.status().as_u16();
    (status, left, response.text().await.expect("text"))
}

fn answer(status: u16, left: &str, text: &str) -> (u16, String, String) {
    (status, left.to_owned(), text.to_owned())
}

#[tokio::test]
async fn each_user_has_a_bucket_and_a_tier() {
    for (limiter, _) in limiters("users").await {
        let app = App::start(router(limiter)).await;
        let ann = send(&app, "/users", Some("s-ann")).await;
        assert_eq!(ann, answer(200, "3", "ann on pro"));
        let ann = send(&app, "/users", Some("s-ann-again")).await;
        assert_eq!(ann, answer(200, "2", "ann on pro"), "it is the same user");
        let bob = send(&app, "/users", Some("s-bob")).await;
        assert_eq!(bob, answer(200, "1", "bob on free"));
        let eve = send(&app, "/users", Some("s-eve")).await;
        assert_eq!(eve, answer(200, "1", "eve on free"), "an undeclared tier");
        assert_eq!(send(&app, "/users", Some("s-bob")).await.0, 200);
        assert_eq!(send(&app, "/users", Some("s-bob")).await.0, 429);
    }
}

#[tokio::test]
async fn whom_the_identity_rejects_is_answered_by_it_and_costs_nothing() {
    for (limiter, _) in limiters("rejected_users").await {
        let app = App::start(router(limiter)).await;
        for _ in 0..10 {
            let nobody = send(&app, "/users", None).await;
            assert_eq!(nobody, answer(401, "-", "log in first"));
            let wrong = send(&app, "/anybody", Some("s-wrong")).await;
            assert_eq!(wrong, answer(401, "-", "log in first"));
        }
    }
}

#[tokio::test]
async fn an_optional_identity_lets_anybody_in_by_address() {
    for (limiter, _) in limiters("anybody").await {
        let app = App::start(router(limiter)).await;
        for (left, status) in [("1", 200), ("0", 200), ("0", 429)] {
            let anonymous = send(&app, "/anybody", None).await;
            assert_eq!((anonymous.0, &*anonymous.1), (status, left));
        }
        let ann = send(&app, "/anybody", Some("s-ann")).await;
        assert_eq!(ann, answer(200, "3", "pro"));
    }
}
