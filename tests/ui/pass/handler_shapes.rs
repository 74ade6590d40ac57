#![deny(warnings, missing_docs, unreachable_pub)]

//! Handlers of the shapes that axum takes.

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State, rejection::JsonRejection},
    http::{HeaderMap, Method, StatusCode, Uri, Version},
    response::IntoResponse,
    routing::get,
};
use ratelimit::{RateLimitStatus, rate_limit};

#[rate_limit(limit = 5)]
async fn no_arguments() {}

#[rate_limit(limit = 5)]
async fn sixteen(
    _: Method, _: Method, _: Method, _: Method, _: Uri, _: Uri, _: Uri, _: Uri,
    _: Version, _: Version, _: Version, _: Version, _: HeaderMap, _: HeaderMap, _: HeaderMap,
    request: Request,
) -> String {
    request.uri().to_string()
}

#[rate_limit(limit = 5)]
async fn fallible(
    json: Result<Json<Vec<u32>>, JsonRejection>,
) -> Result<impl IntoResponse, (StatusCode, String)> {
    let Json(numbers) = json.map_err(|error| (StatusCode::IM_A_TEAPOT, error.to_string()))?;
    if numbers.is_empty() {
        return Err((StatusCode::NOT_FOUND, String::new()));
    }
    Ok(Json(numbers))
}

#[rate_limit(limit = 5)]
async fn optional(path: Option<Path<u32>>, mut method: Method) -> String {
    if path.is_none() {
        method = Method::POST;
    }
    method.to_string()
}

#[rate_limit(limit = 5)]
async fn generic<S, const N: usize>(State(state): State<S>) -> String
where
    S: ToString + Clone + Send + Sync + 'static,
{
    state.to_string().repeat(N)
}

#[rate_limit(limit = 5)]
async fn r#type(status: RateLimitStatus) -> String {
    format!("{status:?}")
}

#[rate_limit(limit = 5)]
async fn configured(
    #[cfg(any())] _: NoSuchType,
    #[cfg(all())] method: Method,
    #[allow(unused_variables)] unused: Uri,
) -> String {
    method.to_string()
}

/// Shown to users of the library.
#[rate_limit(limit = 5)]
#[expect(clippy::unused_async)]
#[deprecated]
async fn with_attributes_below() {}

// A module of the handler's name, and names that the expansion might use for itself.
mod search {}

const POLICY: u32 = 5;
static HEADER: u32 = 5;

#[rate_limit(limit = POLICY)]
async fn search(Query(status): Query<Vec<(String, String)>>) -> String {
    #[rate_limit(limit = 5)]
    async fn inner() {}
    let _: Router = Router::new().route("/", get(inner));
    let argument_0 = HEADER;
    format!("{status:?} {argument_0}")
}

macro_rules! handler {
    ($name:ident, $limit:expr) => {
        #[rate_limit(limit = $limit)]
        async fn $name(method: Method) -> String {
            method.to_string()
        }
    };
}

handler!(made_by_a_macro, 60);

/// Documented.
pub mod api {
    use ratelimit::rate_limit;

    /// Documented.
    #[rate_limit(limit = 5)]
    pub async fn public() {}

    #[rate_limit(limit = 5)]
    pub(crate) async fn of_the_crate() {}
}

fn main() {
    #[allow(deprecated)]
    let _: Router = Router::new()
        .route("/no_arguments", get(no_arguments))
        .route("/sixteen", get(sixteen))
        .route("/fallible", get(fallible))
        .route("/optional", get(optional))
        .route("/generic", get(generic::<String, 2>))
        .route("/type", get(r#type))
        .route("/configured", get(configured))
        .route("/attributes", get(with_attributes_below))
        .route("/search", get(search))
        .route("/macro", get(made_by_a_macro))
        .route("/public", get(api::public))
        .route("/crate", get(api::of_the_crate))
        .with_state(String::new());
}
