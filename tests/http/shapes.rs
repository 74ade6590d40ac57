//! Handlers of every shape are limited, and each request counts once.

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{FromRequestParts, Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ratelimit::{RateLimited, RateLimitedRejection, RateLimiter, rate_limit};
use ratelimit_tests::{App, header};
use serde::Deserialize;

use super::limiters;

#[derive(Clone)]
struct Db(&'static str);

#[rate_limit(limit = 3)]
async fn nothing() -> &'static str {
    "nothing"
}

#[rate_limit(limit = 3)]
async fn parts(method: Method, uri: Uri, headers: HeaderMap, Path(id): Path<u32>) -> String {
    format!("{method} {uri} {} {id}", headers.contains_key("host"))
}

#[rate_limit(limit = 3)]
async fn body(State(db): State<Db>, method: Method, mut body: Bytes) -> String {
    let first = body.split_to(1);
    format!("{} {method} {first:?} {body:?}", db.0)
}

#[rate_limit(limit = 3)]
async fn whole(request: Request) -> String {
    request.uri().path().to_owned()
}

#[derive(Deserialize)]
struct Page {
    page: u32,
}

#[rate_limit(limit = 3)]
async fn fallible(
    query: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
    json: Option<Json<Vec<u32>>>,
) -> Result<impl IntoResponse, StatusCode> {
    let Query(Page { page }) = query.map_err(|_| StatusCode::IM_A_TEAPOT)?;
    if page == 0 {
        return Err(StatusCode::NOT_FOUND);
    }
    let sum = json.map(|Json(numbers)| numbers.iter().sum::<u32>());
    Ok((StatusCode::CREATED, format!("{page} {sum:?}")))
}

ratelimit::policy! { ByHand: limit = 3 }

async fn by_hand(page: Result<RateLimited<ByHand, Query<Page>>, RateLimitedRejection>) -> Response {
    match page {
        Ok(page) => {
            let (responder, Query(Page { page })) = page.into_parts();
            responder.respond(format!("page {page}")).await
        }
        Err(rejection) => {
            let mut response = rejection.into_response();
            let seen = HeaderValue::from_static("seen");
            response.headers_mut().insert("x-rejection", seen);
            response
        }
    }
}

#[rate_limit(limit = 3)]
async fn generic<T, const N: usize>(State(state): State<T>) -> String
where
    T: Clone + Into<Db> + Send + Sync + 'static,
{
    state.into().0.repeat(N)
}

/// Fails where it is extracted at all and should not be.
struct AfterTheLimit;

impl<S: Sync> FromRequestParts<S> for AfterTheLimit {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        if parts.headers.contains_key("x-must-not-be-reached") {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        Ok(Self)
    }
}

#[rate_limit(limit = 3)]
async fn ordered(_: AfterTheLimit, _: AfterTheLimit, _: Bytes) {}

mod same {
    use super::rate_limit;

    #[rate_limit(limit = 3)]
    pub(super) async fn name() {}
}

mod other {
    use super::rate_limit;

    #[rate_limit(limit = 3)]
    pub(super) async fn name() {}
}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/nothing", get(nothing))
        .route("/parts/{id}", get(parts))
        .route("/body", post(body))
        .route("/whole", get(whole))
        .route("/fallible", get(fallible))
        .route("/by-hand", get(by_hand))
        .route("/generic", get(generic::<Db, 2>))
        .route("/ordered", get(ordered))
        .route("/same", get(same::name))
        .route("/other", get(other::name))
        .with_state(Db("db"))
        .layer(Extension(limiter))
}

#[tokio::test]
async fn each_request_counts_once_whatever_the_handler_takes() {
    for (limiter, _) in limiters("shapes").await {
        let app = App::start(router(limiter)).await;
        let cases = [
            (app.get("/nothing"), 200, "nothing"),
            (app.get("/parts/7"), 200, "GET /parts/7 true 7"),
            (app.post("/body").body("abc"), 200, "db POST b\"a\" b\"bc\""),
            (app.get("/whole"), 200, "/whole"),
            (
                app.get("/fallible?page=2").json(&[1, 2, 3]),
                201,
                "2 Some(6)",
            ),
            (app.get("/generic"), 200, "dbdb"),
            (app.get("/ordered"), 200, ""),
        ];
        for (request, status, text) in cases {
            for (left, status) in [("2", status), ("1", status), ("0", status), ("0", 429)] {
                let request = request.try_clone().expect("its body is bytes");
                let response = request.send().await.expect("an answer");
                assert_eq!(response.status(), status, "{text}");
                assert_eq!(header(&response, "x-ratelimit-remaining"), Some(left));
                if status != 429 {
                    assert_eq!(response.text().await.expect("text"), text);
                }
            }
        }
    }
}

#[tokio::test]
async fn the_handlers_own_errors_count() {
    for (limiter, _) in limiters("errors").await {
        let app = App::start(router(limiter)).await;
        assert_eq!(app.status("/fallible?page=0").await, 404);
        assert_eq!(app.status("/fallible?page=x").await, 418);
        assert_eq!(app.status("/fallible?page=0").await, 404);
        assert_eq!(app.status("/fallible?page=1").await, 429);
    }
}

#[tokio::test]
async fn no_extractor_runs_for_a_request_over_the_limit() {
    for (limiter, _) in limiters("ordered").await {
        let app = App::start(router(limiter)).await;
        for status in [200, 200, 200] {
            assert_eq!(app.status("/ordered").await, status);
        }
        let request = app.get("/ordered").header("x-must-not-be-reached", "1");
        assert_eq!(request.send().await.expect("an answer").status(), 429);
    }
}

#[tokio::test]
async fn handlers_of_one_name_in_two_modules_do_not_share() {
    for (limiter, _) in limiters("modules").await {
        let app = App::start(router(limiter)).await;
        for path in ["/same", "/other"] {
            for status in [200, 200, 200, 429] {
                assert_eq!(app.status(path).await, status, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_handler_that_is_limited_by_hand_sees_who_is_turned_away() {
    for (limiter, _) in limiters("by hand").await {
        let app = App::start(router(limiter)).await;
        let cases = [
            ("/by-hand?page=1", 200, "2", None),
            ("/by-hand?page=x", 400, "1", Some("seen")),
            ("/by-hand?page=1", 200, "0", None),
            ("/by-hand?page=1", 429, "0", Some("seen")),
        ];
        for (path, status, left, seen) in cases {
            let response = app.get(path).send().await.expect("an answer");
            assert_eq!(response.status(), status);
            assert_eq!(header(&response, "x-ratelimit-remaining"), Some(left));
            assert_eq!(header(&response, "x-rejection"), seen);
        }
    }
}
