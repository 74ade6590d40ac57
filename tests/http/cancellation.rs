//! Requests that end before their handler does: each row of the README's table of what is charged.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{
    BoxError, Extension, Router,
    body::{Body, Bytes},
    extract::{FromRequestParts, Path, rejection::ExtensionRejection},
    http::{Request, StatusCode, request::Parts},
    response::Response,
    routing::{MethodRouter, get, post},
};
use futures_util::{StreamExt, stream};
use ratelimit::{
    Bucket, ClientId, PolicySource, RateLimitLayer, RateLimitStatus, RateLimiter, RedisStore,
    policy, rate_limit,
};
use ratelimit_tests::{App, Proxy, RedisServer, Trouble, eventually, header, patient};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore, time::timeout};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

use crate::{http2, limiters};

/// Longer than a check takes.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

/// Refunds whatever is answered, so that what is charged was not answered.
fn always(_: &Response) -> bool {
    true
}

policy! { Handlers: limit = 10, per = "1h", refund_if = always }
policy! { Layers: limit = 10, per = "1h", refund_if = always }

/// What has happened in a handler, as permits.
struct Seen {
    begun: Semaphore,
    ended: Semaphore,
}

impl Seen {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Semaphore::new(0),
            ended: Semaphore::new(0),
        })
    }
}

/// A handler's run.
struct Run(Arc<Seen>);

impl Run {
    fn begin(seen: Arc<Seen>) -> Self {
        seen.begun.add_permits(1);
        Self(seen)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.0.ended.add_permits(1);
    }
}

async fn happens(semaphore: &Semaphore) {
    let patience = Duration::from_secs(10);
    let happened = timeout(patience, semaphore.acquire()).await;
    happened.expect("it happens").expect("open").forget();
}

#[rate_limit(policy = Handlers)]
async fn hang(Extension(seen): Extension<Arc<Seen>>) {
    let _run = Run::begin(seen);
    pending::<()>().await;
}

#[rate_limit(policy = Handlers)]
async fn panics() {
    panic!("a handler panics");
}

#[rate_limit(policy = Handlers)]
async fn answers() {}

impl<S: Send + Sync> FromRequestParts<S> for Run {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ExtensionRejection> {
        let Extension(seen) = Extension::from_request_parts(parts, state).await?;
        Ok(Self::begin(seen))
    }
}

#[rate_limit(policy = Handlers)]
async fn upload(_run: Run, _body: Bytes) {}

/// Those that are used up of a policy's ten.
async fn used<P: PolicySource>(limiter: &RateLimiter) -> u32 {
    let policy = P::limits()[0].policy();
    let client: ClientId = "127.0.0.1".parse().expect("a client");
    let bucket = Bucket::new(policy, policy.default_tier(), client).expect("limited");
    10 - limiter.peek(&bucket).await.expect("it answers").remaining
}

async fn assert_used(limiter: &RateLimiter, by_handlers: u32, by_layers: u32) {
    let used = (
        used::<Handlers>(limiter).await,
        used::<Layers>(limiter).await,
    );
    assert_eq!(used, (by_handlers, by_layers));
}

/// Serves a handler inside of a layer, and returns what is seen of its requests.
async fn start(route: MethodRouter, limiter: &RateLimiter) -> (App, Arc<Seen>) {
    let seen = Seen::new();
    let router = Router::new()
        .route("/", route)
        .layer(RateLimitLayer::<Layers>::new())
        .layer(Extension(seen.clone()))
        .layer(Extension(limiter.clone()));
    (App::start(router).await, seen)
}

async fn begin(app: &App, head: &str) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", app.port())).await;
    let mut stream = stream.expect("it listens");
    let head = format!("{head}\r\nHost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("open");
    stream
}

#[tokio::test]
async fn a_client_that_leaves_while_the_handler_runs_is_charged() {
    for (limiter, _) in limiters("cancel_handler").await {
        let (app, seen) = start(get(hang), &limiter).await;

        let connection = begin(&app, "GET / HTTP/1.1").await;
        happens(&seen.begun).await;
        drop(connection);
        happens(&seen.ended).await;
        assert_used(&limiter, 1, 1).await;

        // Over HTTP/2 it resets the stream.
        let request = Request::get(app.at("/")).body(Body::empty());
        let client = http2();
        let request = client.request(request.expect("a request"));
        tokio::select! {
            _ = request => panic!("an answer"),
            () = happens(&seen.begun) => {}
        }
        happens(&seen.ended).await;
        assert_used(&limiter, 2, 2).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_midst_of_its_upload_is_charged_unless_the_rejection_refunds_it()
 {
    for (limiter, _) in limiters("cancel_upload").await {
        let (app, seen) = start(post(upload), &limiter).await;
        let mut connection = begin(&app, "POST / HTTP/1.1\r\nContent-Length: 10").await;
        connection.write_all(b"half").await.expect("open");
        happens(&seen.begun).await;
        assert_used(&limiter, 1, 1).await;
        drop(connection);
        // The extractor sees that the body breaks off.
        happens(&seen.ended).await;
        eventually("the refunds", || async {
            used::<Handlers>(&limiter).await + used::<Layers>(&limiter).await == 0
        })
        .await;

        // Over HTTP/2 the handler is dropped as well, perhaps before the refunds.
        let half = stream::iter([Ok::<_, BoxError>("half")]).chain(stream::pending());
        let request = Request::post(app.at("/")).body(Body::from_stream(half));
        let client = http2();
        let request = client.request(request.expect("a request"));
        tokio::select! {
            _ = request => panic!("an answer"),
            () = happens(&seen.begun) => {}
        }
        happens(&seen.ended).await;
        assert!(used::<Handlers>(&limiter).await <= 1);
        assert!(used::<Layers>(&limiter).await <= 1);
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_charged_and_a_layer_around_what_catches_it_sees_the_answer() {
    for (limiter, _) in limiters("panics").await {
        let router = || {
            Router::new()
                .route("/panics", get(panics))
                .route("/answers", get(answers))
        };
        let layer = RateLimitLayer::<Layers>::new;
        let limits = Extension(limiter.clone());

        let app = App::start(router().layer(layer()).layer(limits.clone())).await;
        let answer = app.get("/panics").send().await;
        assert!(answer.is_err(), "the connection is closed");
        assert_used(&limiter, 1, 1).await;

        let caught_inside = router().layer(CatchPanicLayer::new()).layer(layer());
        let app = App::start(caught_inside.layer(limits.clone())).await;
        let response = app.get("/panics").send().await.expect("an answer");
        assert_eq!(response.status(), 500);
        assert_eq!(header(&response, "x-ratelimit-remaining"), Some("9"));
        assert_used(&limiter, 2, 1).await;

        let caught_outside = router().layer(layer()).layer(CatchPanicLayer::new());
        let app = App::start(caught_outside.layer(limits)).await;
        let response = app.get("/panics").send().await.expect("an answer");
        assert_eq!(response.status(), 500);
        assert_eq!(header(&response, "x-ratelimit-remaining"), None);
        assert_used(&limiter, 3, 2).await;

        // The limits work as before.
        assert_eq!(app.status("/answers").await, 200);
        assert_used(&limiter, 3, 2).await;
    }
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_charged_and_a_layer_around_the_timeout_sees_the_answer() {
    for (limiter, _) in limiters("timeouts").await {
        let seen = Seen::new();
        let time_out = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LONG_ENOUGH);
        let layer = RateLimitLayer::<Layers>::new;
        let router = || Router::new().route("/", get(hang));
        let limits = Extension(limiter.clone());

        let inside = router().layer(time_out).layer(layer());
        let inside = inside.layer(Extension(seen.clone())).layer(limits.clone());
        let response = App::start(inside).await;
        let response = response.get("/").send().await.expect("an answer");
        assert_eq!(response.status(), 408);
        assert_eq!(header(&response, "x-ratelimit-remaining"), Some("10"));
        assert_used(&limiter, 1, 0).await;

        let outside = router().layer(layer()).layer(time_out);
        let outside = outside.layer(Extension(seen.clone())).layer(limits);
        let response = App::start(outside).await;
        let response = response.get("/").send().await.expect("an answer");
        assert_eq!(response.status(), 408);
        assert_eq!(header(&response, "x-ratelimit-remaining"), None);
        assert_used(&limiter, 2, 1).await;
    }
}

#[rate_limit(limit = 1, per = "1h", wait = "1h")]
async fn patient_handler() {}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_not_charged_and_gives_its_place_back() {
    for (limiter, clock) in limiters("cancel_wait").await {
        let router = Router::new()
            .route("/", get(patient_handler))
            .layer(RateLimitLayer::<Layers>::new());
        let time_out = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LONG_ENOUGH);
        let with_timeout = router
            .clone()
            .layer(time_out)
            .layer(Extension(limiter.clone()));
        let with_timeout = App::start(with_timeout).await;
        let app = App::start(router.layer(Extension(limiter.clone()))).await;

        assert_eq!(app.status("/").await, 200);
        // One waits. The next one would have to wait for two hours.
        let connection = begin(&app, "GET / HTTP/1.1").await;
        eventually("the queue", || async {
            with_timeout.status("/").await == 429
        })
        .await;
        drop(connection);
        // It waits until the timeout, and its place is free again.
        eventually("the free place", || async {
            with_timeout.status("/").await == 408
        })
        .await;
        assert_eq!(with_timeout.status("/").await, 408);
        // None of them has been charged.
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(app.status("/").await, 200);
        let refused = with_timeout.status("/").await;
        assert_eq!(refused, 408);
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_redis_decides_is_charged_if_redis_allows_it() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port()).await;
    let builder = RedisStore::builder(proxy.url());
    let store = patient(builder).connect().await.expect("a redis-server");
    let limiter = RateLimiter::builder().store(store);
    let limiter = limiter.build().expect("nothing is wrong with it");
    let direct = RateLimiter::builder().store(server.store().await);
    let direct = direct.build().expect("nothing is wrong with it");
    let router = Router::new()
        .route("/", get(answers))
        .layer(Extension(limiter));
    let app = App::start(router).await;
    assert_eq!(app.status("/").await, 200);
    assert_eq!(used::<Handlers>(&direct).await, 0);
    // The command arrives, and its answer when the client is gone.
    proxy.make(Trouble::Delay(Duration::from_millis(500)));
    let connection = begin(&app, "GET / HTTP/1.1").await;
    eventually("the charge", || async {
        used::<Handlers>(&direct).await == 1
    })
    .await;
    drop(connection);
    proxy.make(Trouble::None);
    assert_eq!(app.status("/").await, 200);
    assert_eq!(used::<Handlers>(&direct).await, 1);
}

fn cost(parts: &Parts) -> u32 {
    assert!(parts.uri.query().is_none(), "a cost panics");
    1
}

fn key(parts: &Parts) -> Option<String> {
    (cost(parts) > 1).then(String::new)
}

fn exempt(parts: &Parts) -> bool {
    cost(parts) > 1
}

fn panics_if_asked(_: &Response) -> bool {
    panic!("a refund_if panics")
}

policy! { Costly: limit = 10, per = "1h", cost = cost }
policy! { Keyed: limit = 10, per = "1h", key = key }
policy! { Exempting: limit = 10, per = "1h", exempt = exempt }
policy! { Refunding: limit = 10, per = "1h", refund_if = panics_if_asked }

#[rate_limit(policy = Costly)]
async fn costly() {}

#[rate_limit(policy = Keyed)]
async fn keyed() {}

#[rate_limit(policy = Exempting)]
async fn exempting() {}

#[rate_limit(policy = Refunding)]
async fn refunding() {}

#[tokio::test]
async fn functions_of_the_policy_that_panic_harm_no_other_request() {
    for (limiter, _) in limiters("panics_of_policy").await {
        let router = Router::new()
            .route("/costly", get(costly))
            .route("/keyed", get(keyed))
            .route("/exempting", get(exempting))
            .route("/refunding", get(refunding))
            .layer(Extension(limiter.clone()));
        let app = App::start(router).await;
        let used = async || {
            [
                used::<Costly>(&limiter).await,
                used::<Keyed>(&limiter).await,
                used::<Exempting>(&limiter).await,
                used::<Refunding>(&limiter).await,
            ]
        };
        for path in ["/costly", "/keyed", "/exempting"] {
            for _ in 0..3 {
                assert!(app.get(&format!("{path}?x")).send().await.is_err());
            }
        }
        assert_eq!(used().await, [0, 0, 0, 0]);
        for path in ["/costly", "/keyed", "/exempting"] {
            assert_eq!(app.status(path).await, 200);
        }
        assert_eq!(used().await, [1, 1, 1, 0]);
        assert!(app.get("/refunding").send().await.is_err());
        assert_eq!(used().await, [1, 1, 1, 1]);
    }
}

fn has_failed(response: &Response) -> bool {
    response.status().is_server_error()
}

policy! { Streams: limit = 10, per = "1h", refund_if = has_failed }

#[rate_limit(policy = Streams)]
async fn streams(Path(fails): Path<bool>) -> (StatusCode, Body) {
    let status = if fails {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    let line = stream::iter([Ok::<_, BoxError>("a line")]);
    (status, Body::from_stream(line.chain(stream::pending())))
}

#[tokio::test]
async fn a_stream_is_charged_by_its_head_however_it_ends() {
    for (limiter, _) in limiters("streams").await {
        let router = Router::new()
            .route("/{fails}", get(streams))
            .layer(Extension(limiter.clone()));
        let app = App::start(router).await;
        for (path, expected) in [("/false", 1), ("/true", 1), ("/false", 2)] {
            let mut response = app.get(path).send().await.expect("an answer");
            let line = response.chunk().await.expect("a line");
            assert_eq!(line.as_deref(), Some(&b"a line"[..]));
            drop(response);
            assert_eq!(used::<Streams>(&limiter).await, expected, "{path}");
        }
    }
}

#[rate_limit(limit = 1, per = "1h", wait = "1h", name = "inside_waits")]
async fn inside_waits(_status: RateLimitStatus) {}

/// A layer has charged a request that waits inside of it, and has no answer that refunds it.
#[tokio::test]
async fn a_client_that_leaves_while_it_waits_inside_of_a_layer_is_charged_by_the_layer() {
    for (limiter, _) in limiters("cancel_inside").await {
        let router = Router::new()
            .route("/", get(inside_waits))
            .layer(RateLimitLayer::<Layers>::new())
            .layer(Extension(limiter.clone()));
        let app = App::start(router).await;
        assert_eq!(app.status("/").await, 200);
        assert_eq!(used::<Layers>(&limiter).await, 0);
        let is_held = async || {
            let held = timeout(LONG_ENOUGH, app.status("/"));
            held.await.is_err()
        };
        assert!(is_held().await);
        assert_eq!(used::<Layers>(&limiter).await, 1);
        // Its place is free for the next one, which the layer charges as well.
        eventually("the free place", is_held).await;
        assert_eq!(used::<Layers>(&limiter).await, 2);
    }
}
