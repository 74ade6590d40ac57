//! `RateLimitLayer`: a whole router, or any HTTP service.

use std::time::Duration;

use axum::{
    Extension, Router,
    body::Body,
    http::{Request, Response, StatusCode, request::Parts},
    response::IntoResponse,
    routing::{get as route, post},
};
use ratelimit::{
    Bucket, Charge, ClientId, Decision, Identified, Identity, MemoryStore, PolicySource,
    RateLimitExceeded, RateLimitLayer, RateLimitStatus, RateLimiter, StaticTiers, Store,
    StoreError, policy, rate_limit,
};
use ratelimit_tests::{App, header};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

use super::{get, left};
use crate::{http2, limiters};

policy! { Everything: limit = 4, per = "1m" }

async fn plain(status: Option<RateLimitStatus>) -> String {
    format!("{:?}", status.and_then(|status| status.remaining()))
}

#[rate_limit(limit = 2, name = "stricter")]
async fn stricter() {}

#[rate_limit(limit = 1_000, name = "looser")]
async fn looser() {}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/", route(plain))
        .route("/stricter", route(stricter))
        .route("/looser", route(looser))
        .route("/health", route(plain))
        .route("/static/{file}", route(plain))
        .layer(RateLimitLayer::<Everything>::new().exempt_paths(["/health", "/static/*"]))
        .layer(Extension(limiter))
}

async fn start(limiter: RateLimiter) -> App {
    App::start(Router::new().nest("/api", router(limiter))).await
}

#[tokio::test]
async fn a_whole_router_shares_a_limit_but_for_exempt_paths() {
    for (limiter, _) in limiters("layer").await {
        let app = start(limiter).await;
        let response = app.get("/api").send().await.expect("an answer");
        assert_eq!(header(&response, "x-ratelimit-limit"), Some("4"));
        assert_eq!(response.text().await.expect("text"), "Some(3)");
        for n in ["2", "1", "0"] {
            assert_eq!(get(&app, "/api").await, left(200, n));
        }
        assert_eq!(get(&app, "/api").await, left(429, "0"));
        for path in ["/api/health", "/api/static/logo.png"] {
            assert_eq!(get(&app, path).await, (200, None), "{path}");
        }
    }
}

#[tokio::test]
async fn a_handlers_own_limit_counts_as_well_and_the_tighter_is_told() {
    for (limiter, _) in limiters("layer_and_attribute").await {
        let app = start(limiter).await;
        assert_eq!(get(&app, "/api/stricter").await, left(200, "1"));
        assert_eq!(get(&app, "/api/looser").await, left(200, "2"));
        assert_eq!(get(&app, "/api/stricter").await, left(200, "0"));
        assert_eq!(get(&app, "/api/stricter").await, left(429, "0"));
        // The layer has not counted that one.
        assert_eq!(get(&app, "/api/looser").await, left(200, "0"));
        assert_eq!(get(&app, "/api/looser").await, left(429, "0"));
    }
}

#[tokio::test]
async fn any_http_service_of_towers_can_have_one() {
    for (limiter, _) in limiters("tower").await {
        let service = ServiceBuilder::new()
            .layer(RateLimitLayer::<Everything>::new().limiter(limiter))
            .service(service_fn(async |_: Request<Body>| {
                Ok::<_, std::io::Error>(Response::new(String::from("hello")))
            }));
        for n in 0..6 {
            let response = service.clone().oneshot(Request::new(Body::empty())).await;
            let response = response.expect("an answer");
            assert_eq!(response.status(), if n < 4 { 200 } else { 429 });
        }
    }
}

policy! { Outer: limit = 100, per = "1m" }
policy! { Inner: limit = 100, per = "1m" }

fn in_memory() -> RateLimiter {
    RateLimiter::default()
}

#[rate_limit(tier_header = "X-API-Key", free = 5, pro = 50)]
async fn tiered() {}

#[tokio::test]
async fn the_limiter_of_a_layer_is_not_that_of_the_handlers_inside() {
    let builder = RateLimiter::builder().tiers(StaticTiers::new([("k-pro", "pro")]));
    let knows_keys = builder.build().expect("nothing is wrong with it");
    let router = Router::new()
        .route("/", route(tiered))
        .layer(RateLimitLayer::<Outer>::new().limiter(in_memory()))
        .layer(Extension(knows_keys));
    let app = App::start(router).await;
    let request = app.get("/").header("x-api-key", "k-pro");
    let response = request.send().await.expect("an answer");
    assert_eq!(header(&response, "x-ratelimit-limit"), Some("50"));
}

#[rate_limit(policy = Outer)]
async fn under_outer(status: RateLimitStatus) -> String {
    format!("{} {:?}", status.policy().name(), status.remaining())
}

#[tokio::test]
async fn a_policy_on_a_layer_and_on_a_handler_is_charged_once_whatever_is_between() {
    let router = Router::new()
        .route("/", route(under_outer))
        .layer(RateLimitLayer::<Inner>::new())
        .layer(RateLimitLayer::<Everything>::new())
        .layer(RateLimitLayer::<Outer>::new())
        .layer(Extension(in_memory()));
    let app = App::start(router).await;
    for left in [99, 98, 97] {
        let response = app.get("/").send().await.expect("an answer");
        let text = response.text().await.expect("text");
        let name = Outer::limits()[0].policy().name();
        assert_eq!(text, format!("{name} Some({left})"));
    }
}

#[rate_limit(policy = Outer)]
#[rate_limit(limit = 1_000, name = "beside_outer")]
async fn beside_outer(_first: Option<RateLimitStatus>, status: RateLimitStatus) -> String {
    format!("{:?}", status.remaining())
}

/// Of the two limits of the handler the layer has charged one.
#[tokio::test]
async fn a_policy_on_a_layer_and_beside_another_on_a_handler_is_charged_once() {
    let limiter = in_memory();
    let router = Router::new()
        .route("/", route(beside_outer))
        .layer(RateLimitLayer::<Everything>::new())
        .layer(RateLimitLayer::<Outer>::new())
        .layer(Extension(limiter.clone()));
    let app = App::start(router).await;
    let client: ClientId = "127.0.0.1".parse().expect("a client");
    for n in 1..=3 {
        let response = app.get("/").send().await.expect("an answer");
        let text = response.text().await.expect("text");
        assert_eq!(text, format!("Some({})", 1_000 - n));
        for policy in [
            Outer::limits()[0].policy(),
            Everything::limits()[0].policy(),
        ] {
            let bucket = Bucket::new(policy, policy.default_tier(), client).expect("limited");
            let left = limiter.peek(&bucket).await.expect("in memory").remaining;
            let limit = policy.default_tier().quota().expect("limited").limit();
            assert_eq!(left, limit - n, "{}", policy.name());
        }
    }
}

policy! { Tokens: limit = 100, per = "1m" }
policy! { Requests: limit = 100, per = "1m" }

#[rate_limit(policy = Tokens)]
#[rate_limit(limit = 100, name = "dearer")]
#[rate_limit(policy = Requests)]
async fn dearer(status: RateLimitStatus) {
    status.charge(10).await;
}

#[rate_limit(policy = Tokens)]
#[rate_limit(policy = Requests)]
async fn dearer_twice(status: RateLimitStatus) {
    status.charge(10).await;
}

/// What the handler takes besides is taken under all of its limits, whichever of them layers charge.
#[tokio::test]
async fn a_handler_charges_the_limits_that_it_shares_with_layers() {
    let limiter = in_memory();
    let router = Router::new()
        .route("/", route(dearer))
        .route("/twice", route(dearer_twice))
        .layer(RateLimitLayer::<Everything>::new())
        .layer(RateLimitLayer::<Requests>::new())
        .layer(RateLimitLayer::<Tokens>::new())
        .layer(Extension(limiter.clone()));
    let app = App::start(router).await;
    let client: ClientId = "127.0.0.1".parse().expect("a client");
    for (path, used) in [("/", 11), ("/twice", 22)] {
        assert_eq!(app.status(path).await, 200);
        for (limits, left) in [
            (Tokens::limits(), 100 - used),
            (Requests::limits(), 100 - used),
            (Everything::limits(), 4 - used / 11),
        ] {
            let policy = limits[0].policy();
            let bucket = Bucket::new(policy, policy.default_tier(), client).expect("limited");
            let found = limiter.peek(&bucket).await.expect("in memory").remaining;
            assert_eq!(found, left, "{path} {bucket}");
        }
    }
}

policy! { ByAddress: limit = 100, per = "1m", key = ip }
policy! { ByCaller: limit = 100, per = "1m", key = caller }

struct User;

impl<S: Sync> axum::extract::FromRequestParts<S> for User {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Ok(Self)
    }
}

impl Identity for User {
    fn identify(&self) -> Option<Identified<'_>> {
        Some(Identified::new("alice"))
    }
}

#[rate_limit(policy = ByAddress)]
#[rate_limit(policy = ByCaller)]
#[rate_limit(limit = 1_000, name = "of_user", identity = User)]
async fn of_user() {}

/// The layers do not know the caller, which matters only where the bucket is the caller's.
#[tokio::test]
async fn a_policy_on_a_layer_and_on_a_handler_that_knows_its_callers_is_charged_once() {
    let limiter = in_memory();
    let router = Router::new()
        .route("/", route(of_user))
        .layer(RateLimitLayer::<ByAddress>::new())
        .layer(RateLimitLayer::<ByCaller>::new())
        .layer(Extension(limiter.clone()));
    let app = App::start(router).await;
    assert_eq!(app.status("/").await, 200);
    let address: ClientId = "127.0.0.1".parse().expect("a client");
    let user = ClientId::identity(b"alice");
    for (limits, client, left) in [
        (ByAddress::limits(), address, 99),
        (ByAddress::limits(), user, 100),
        (ByCaller::limits(), address, 99),
        (ByCaller::limits(), user, 99),
    ] {
        let policy = limits[0].policy();
        let bucket = Bucket::new(policy, policy.default_tier(), client).expect("limited");
        let found = limiter.peek(&bucket).await.expect("in memory").remaining;
        assert_eq!(found, left, "{bucket}");
    }
}

policy! { OfPage: limit = 100, per = "1m", key = path("page") }

#[rate_limit(policy = OfPage)]
#[rate_limit(limit = 1_000, name = "beside_page")]
async fn page() {}

/// Within the router a layer knows the route's parameters, and around it not.
#[tokio::test]
async fn a_policy_by_path_is_charged_once_if_the_layer_knows_the_route() {
    for (is_within, by_address) in [(true, 100), (false, 99)] {
        let limiter = in_memory();
        let layer = RateLimitLayer::<OfPage>::new();
        let router = Router::new().route("/{page}", route(page));
        let router = if is_within {
            router.route_layer(layer)
        } else {
            Router::new().fallback_service(layer.layer(router))
        };
        let app = App::start(router.layer(Extension(limiter.clone()))).await;
        assert_eq!(app.status("/news").await, 200);
        let address: ClientId = "127.0.0.1".parse().expect("a client");
        for (client, left) in [(ClientId::path("news"), 99), (address, by_address)] {
            let policy = OfPage::limits()[0].policy();
            let bucket = Bucket::new(policy, policy.default_tier(), client).expect("limited");
            let found = limiter.peek(&bucket).await.expect("in memory").remaining;
            assert_eq!(found, left, "{bucket}");
        }
    }
}

/// With limiters of their own, a layer and a handler have buckets of their own.
#[tokio::test]
async fn a_policy_under_two_limiters_is_charged_by_each() {
    let limiters = [in_memory(), in_memory()];
    let router = Router::new()
        .route("/", route(under_outer))
        .layer(RateLimitLayer::<Outer>::new().limiter(limiters[0].clone()))
        .layer(Extension(limiters[1].clone()));
    let app = App::start(router).await;
    assert_eq!(app.status("/").await, 200);
    let client: ClientId = "127.0.0.1".parse().expect("a client");
    let policy = Outer::limits()[0].policy();
    let bucket = Bucket::new(policy, policy.default_tier(), client).expect("limited");
    for limiter in limiters {
        let left = limiter.peek(&bucket).await.expect("in memory").remaining;
        assert_eq!(left, 99);
    }
}

fn unusual(_: &RateLimitExceeded) -> axum::response::Response {
    (StatusCode::IM_A_TEAPOT, "no more tea").into_response()
}

#[rate_limit(limit = 1, per = "1m", name = "one")]
async fn one() {}

#[rate_limit(limit = 1, per = "1m", name = "one_teapot", on_limited = unusual)]
async fn teapot() {}

#[rate_limit(limit = 1, per = "1m", name = "without_store", on_store_error = "deny")]
async fn without_store() {}

async fn busy() -> StatusCode {
    StatusCode::TOO_MANY_REQUESTS
}

policy! { Grpc: limit = 1, per = "1m" }

/// A store that does not answer about some policies.
struct Partly(MemoryStore);

impl Store for Partly {
    async fn check_all(&self, charges: &[Charge]) -> Result<Vec<Decision>, StoreError> {
        let is_out =
            |charge: &Charge| charge.cost > 0 && charge.bucket.policy().name() == "without_store";
        if charges.iter().any(is_out) {
            return Err(StoreError::of_one_bucket("it is out"));
        }
        self.0.check_all(charges).await
    }

    async fn charge(&self, bucket: &Bucket, cost: u32) -> Result<Decision, StoreError> {
        self.0.charge(bucket, cost).await
    }

    async fn refund(
        &self,
        bucket: &Bucket,
        cost: u32,
        taken: &Decision,
    ) -> Result<Decision, StoreError> {
        self.0.refund(bucket, cost, taken).await
    }

    async fn reset(&self, bucket: &Bucket) -> Result<(), StoreError> {
        self.0.reset(bucket).await
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

#[tokio::test]
async fn a_layer_gives_back_what_a_limit_inside_rejects_and_nothing_else() {
    let builder = RateLimiter::builder().store(Partly(MemoryStore::new()));
    let partly = builder.build().expect("nothing is wrong with it");
    for limiter in [in_memory(), partly] {
        let grpc = Router::new()
            .route("/", post(async || ()))
            .layer(RateLimitLayer::<Grpc>::new());
        let router = Router::new()
            .route("/one", route(one))
            .route("/teapot", route(teapot))
            .route("/without_store", route(without_store))
            .route("/busy", route(busy))
            .nest("/grpc", grpc)
            // Layers between them may make responses of their own of what comes out.
            .layer(axum::middleware::map_response(
                async |response: axum::response::Response| response,
            ))
            .layer(RateLimitLayer::<Inner>::new())
            .layer(RateLimitLayer::<Outer>::new())
            .layer(Extension(limiter.clone()));
        let app = App::start(router).await;
        let client: ClientId = "127.0.0.1".parse().expect("a client");
        let used = async || {
            let mut used = [0; 2];
            for (used, limits) in used.iter_mut().zip([Outer::limits(), Inner::limits()]) {
                let policy = limits[0].policy();
                let bucket = Bucket::new(policy, policy.default_tier(), client);
                let standing = limiter.peek(&bucket.expect("limited")).await;
                *used = 100 - standing.expect("it answers").remaining;
            }
            used
        };
        for (path, status) in [("/one", 429), ("/teapot", 418)] {
            limiter.reset_client(client).await.expect("it answers");
            assert_eq!(app.status(path).await, 200);
            assert_eq!(used().await, [1, 1], "{path}");
            for _ in 0..5 {
                assert_eq!(app.status(path).await, status);
            }
            assert_eq!(used().await, [1, 1], "{path}");
        }
        limiter.reset_client(client).await.expect("it answers");
        for n in 1..=5 {
            let request = Request::post(app.at("/grpc")).header("content-type", "application/grpc");
            let request = request.body(Body::empty()).expect("a request");
            let response = http2().request(request).await.expect("an answer");
            let status = response.headers().get("grpc-status");
            assert_eq!(status.is_some(), n > 1);
            assert_eq!(used().await, [1, 1], "gRPC, {n}");
        }
        if app.status("/without_store").await == 503 {
            assert_eq!(used().await, [1, 1], "without the store");
        }
        // What the handler itself answers is an answer like any other.
        limiter.reset_client(client).await.expect("it answers");
        for n in 1..=3 {
            assert_eq!(app.status("/busy").await, 429);
            assert_eq!(used().await, [n, n]);
        }
    }
}

policy! { Few: limit = 3, per = "1h", name = "few" }
policy! { Reads: limit = 1, per = "1m", name = "reads" }

#[rate_limit(policy = Reads)]
async fn read() {}

#[tokio::test]
async fn rejected_reads_leave_the_quota_of_the_layer_for_writes() {
    for (limiter, _) in limiters("rejected_reads").await {
        let router = Router::new()
            .route("/", route(read).post(async || ()))
            .layer(RateLimitLayer::<Few>::new())
            .layer(Extension(limiter));
        let app = App::start(router).await;
        assert_eq!(app.status("/").await, 200);
        for _ in 0..10 {
            assert_eq!(get(&app, "/").await, left(429, "0"));
        }
        for status in [200, 200, 429] {
            let response = app.post("/").send().await.expect("an answer");
            assert_eq!(response.status(), status);
        }
    }
}

#[tokio::test]
async fn exempt_paths_are_those_of_the_router_that_the_layer_is_on() {
    let exempt = || RateLimitLayer::<Grpc>::new().exempt_paths(["/open", "/static/*"]);
    let inner = || {
        Router::new()
            .route("/open", route(plain))
            .route("/closed", route(plain))
            .route("/static/{file}", route(plain))
    };
    // The prefix is part of the path outside of it and not inside, and says nothing by itself.
    let router = Router::new()
        .nest("/api", inner().layer(exempt()))
        .nest("/static", inner().layer(exempt()))
        .nest("/open", inner().layer(exempt()));
    let is_limited = async |router: Router, path: &str| {
        let app = App::start(router.layer(Extension(in_memory()))).await;
        app.status(path).await;
        app.status(path).await == 429
    };
    for prefix in ["/api", "/static", "/open"] {
        for path in ["/open", "/static/logo.png"] {
            let path = format!("{prefix}{path}");
            assert!(!is_limited(router.clone(), &path).await, "{path}");
        }
        let path = format!("{prefix}/closed");
        assert!(is_limited(router.clone(), &path).await, "{path}");
    }
    let outside = Router::new().nest("/api", inner()).layer(exempt());
    assert!(is_limited(outside.clone(), "/api/open").await);
    let full = RateLimitLayer::<Grpc>::new().exempt_paths(["/api/open"]);
    let outside = Router::new().nest("/api", inner()).layer(full);
    assert!(!is_limited(outside, "/api/open").await);
}
