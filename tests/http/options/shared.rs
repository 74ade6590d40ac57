//! `policy!` and `policy = …`: one policy and one bucket for several.

use axum::{
    Extension, Router,
    extract::{Path, State},
    routing::get as route,
};
use ratelimit::{RateLimiter, policy, rate_limit};
use ratelimit_tests::App;

use super::{get, left};
use crate::limiters;

policy! {
    /// What a client may do with articles.
    Articles: limit = 5, algo = "token_bucket"
}

#[rate_limit(policy = Articles)]
async fn list() {}

#[rate_limit(policy = Articles)]
async fn show(Path(id): Path<u32>) -> String {
    id.to_string()
}

#[rate_limit(limit = 2, per = "1s", name = "searches")]
#[rate_limit(policy = Articles)]
async fn search() {}

#[derive(Clone)]
struct Service {
    name: &'static str,
}

impl Service {
    #[rate_limit(policy = Articles)]
    async fn hello(State(Self { name }): State<Self>) -> String {
        Self::greet(name)
    }

    #[rate_limit(policy = Articles)]
    async fn without_self(State(service): State<Service>) -> String {
        service.name.to_owned()
    }

    fn greet(name: &str) -> String {
        format!("hello from {name}")
    }
}

fn router(limiter: RateLimiter) -> Router {
    Router::new()
        .route("/list", route(list))
        .route("/show/{id}", route(show))
        .route("/search", route(search))
        .route("/hello", route(Service::hello))
        .route("/name", route(Service::without_self))
        .with_state(Service { name: "a service" })
        .layer(Extension(limiter))
}

#[tokio::test]
async fn handlers_and_methods_share_one_bucket() {
    for (limiter, _) in limiters("shared").await {
        let app = App::start(router(limiter)).await;
        assert_eq!(get(&app, "/list").await, left(200, "4"));
        assert_eq!(get(&app, "/show/7").await, left(200, "3"));
        let hello = app.get("/hello").send().await.expect("an answer");
        assert_eq!(hello.text().await.expect("text"), "hello from a service");
        assert_eq!(get(&app, "/name").await, left(200, "1"));
        assert_eq!(get(&app, "/search").await, left(200, "0"));
        for path in ["/list", "/show/7", "/hello", "/name", "/search"] {
            assert_eq!(get(&app, path).await, left(429, "0"), "{path}");
        }
    }
}

#[test]
fn all_of_them_are_on_the_list() {
    let entries = ratelimit::policies();
    let entry = |name: &str| {
        let found = entries.iter().find(|entry| entry.name().ends_with(name));
        found.unwrap_or_else(|| panic!("{name} is not among {entries:?}"))
    };
    for name in ["::list", "::show", "::hello", "::Articles"] {
        let policies = entry(name).policies();
        assert_eq!(policies.len(), 1);
        assert!(policies[0].name().ends_with("shared::Articles"));
    }
    let search = entry("shared::search");
    let names: Vec<&str> = search.policies().iter().map(|p| p.name()).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], "searches");
    assert!(
        search
            .file()
            .is_some_and(|file| file.ends_with("shared.rs"))
    );
    assert!(search.line() > Some(1));
    let shown = search.to_string();
    assert!(
        shown.contains("sliding_window, default 2 per 1s"),
        "{shown}"
    );
}
