//! `exempt_paths` of a layer: no request is let through that something else may read as another path.

use axum::{
    Extension, Router,
    body::Body,
    http::{Request, Response, StatusCode},
};
use ratelimit::{RateLimitLayer, RateLimiter, policy};
use ratelimit_tests::App;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::{Layer, ServiceExt, service_fn};

policy! { Few: limit = 1, per = "1h" }

const EXEMPT: [&str; 3] = ["/health", "/static/*", "/public/*"];

/// Paths, and whether they are exempt.
const PATHS: [(&str, bool); 70] = [
    ("/health", true),
    ("/health?a=/../b", true),
    ("/static/", true),
    ("/static/logo.png", true),
    ("/static/a/b/c.min.js", true),
    ("/static/..logo", true),
    ("/static/.hidden", true),
    ("/static/a%20b", true),
    ("/static/gr%C3%B6%C3%9Fe.png", true),
    ("/static/a;v=1", true),
    ("/public/", true),
    // Not what is exempt.
    ("/", false),
    ("/health/", false),
    ("/Health", false),
    ("/HEALTH", false),
    ("/health;a", false),
    ("/h%65alth", false),
    ("/health%20", false),
    ("/health%00", false),
    ("/static", false),
    ("/staticly", false),
    ("/static*", false),
    ("/Static/logo.png", false),
    ("/static%2flogo.png", false),
    ("/%73tatic/logo.png", false),
    ("/api/static/logo.png", false),
    ("/api/search", false),
    // What may be something else.
    ("//health", false),
    ("/./health", false),
    ("/a/../health", false),
    ("/health/.", false),
    ("/health/..", false),
    ("/static/../api/search", false),
    ("/static/..", false),
    ("/static/.", false),
    ("/static/./../api", false),
    ("/static/a/../../api", false),
    ("/static/%2e%2e/api", false),
    ("/static/%2E%2e/api", false),
    ("/static/.%2e/api", false),
    ("/static/%2e./api", false),
    ("/static/%2e/api", false),
    ("/static/..;/api", false),
    ("/static/..;x=y/api", false),
    ("/static/.;x/api", false),
    ("/static/%2e%2e;x/api", false),
    ("/static/..%3bx/api", false),
    ("/static/..%2fapi", false),
    ("/static/..%2Fapi", false),
    ("/static/a%2fb", false),
    ("/static/..%5capi", false),
    ("/static/..%5Capi", false),
    ("/static//api", false),
    ("//static/logo.png", false),
    ("/static/%252e%252e/api", false),
    ("/static/%25%32%65%25%32%65/api", false),
    ("/static/..%252fapi", false),
    ("/static/%", false),
    ("/static/%zz", false),
    ("/static/%u002e%u002e/api", false),
    ("/static/..%00/api", false),
    ("/static/a%0d%0ab", false),
    ("/static/%c0%ae%c0%ae/api", false),
    ("/static/%e0%80%ae%e0%80%ae/api", false),
    ("/static/%ef%bc%8e%ef%bc%8e/api", false),
    ("/static/.%e2%80%8b./api", false),
    ("/static/..%c2%a0/api", false),
    ("/static/%c2%ad../api", false),
    ("/public/../api", false),
    ("/public%2f..%2fapi", false),
];

fn layer() -> RateLimitLayer<Few> {
    RateLimitLayer::new().exempt_paths(EXEMPT)
}

/// Services that are no routers resolve paths by their own rules.
#[tokio::test]
async fn no_path_is_exempt_that_may_lead_out_of_the_exempt_one() {
    for (path, is_exempt) in PATHS {
        let service = service_fn(async |_: Request<Body>| {
            Ok::<_, std::io::Error>(Response::new(String::new()))
        });
        let service = layer().limiter(RateLimiter::default()).layer(service);
        let mut last = StatusCode::OK;
        for _ in 0..2 {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let response = service.clone().oneshot(request).await;
            last = response.expect("an answer").status();
        }
        assert_eq!(last == StatusCode::OK, is_exempt, "{path}");
    }
}

/// A client that normalizes nothing, and paths that the types of this one do not take.
#[tokio::test]
async fn they_are_compared_as_they_come_over_the_wire() {
    let further = [
        ("/static/a\\b", false),
        ("/static/..\\api", false),
        ("/static/\u{ff0e}\u{ff0e}/api", false),
        ("http://localhost/static/logo.png", true),
        ("http://localhost/static/../api", false),
        ("http://localhost/static/%2e%2e/api", false),
    ];
    let router = Router::new()
        .fallback(async || "found")
        .layer(layer())
        .layer(Extension(RateLimiter::default()));
    let app = App::start(router).await;
    app.use_up("/").await;
    for (path, is_exempt) in PATHS.into_iter().chain(further) {
        let stream = TcpStream::connect(("127.0.0.1", app.port())).await;
        let mut stream = stream.expect("it listens");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert_eq!(answer.ends_with("found"), is_exempt, "{path}: {answer}");
    }
}

#[test]
fn a_path_that_can_never_be_exempt_is_an_error() {
    for path in [
        "",
        "health",
        "*",
        "static/*",
        "/a/../b",
        "/a//b",
        "/a%2fb",
        "/./*",
        "/a\\b",
        "/100%",
        // Neither a path nor a beginning of one.
        "/public*",
        "/*/x",
        "/a/*/b",
        "/static/**",
        "/*.png",
        "/users/{id}",
        "/users/{*rest}",
        "/a?b=1",
        "/a?",
        "/a#b",
        "/files/a b",
    ] {
        let result = std::panic::catch_unwind(|| RateLimitLayer::<Few>::new().exempt_paths([path]));
        let panic = result.expect_err(path);
        let message = panic.downcast_ref::<String>().expect("a message");
        assert!(message.contains("invalid exempt path"), "{message}");
        assert!(message.contains("help: write it as"), "{message}");
    }
}
