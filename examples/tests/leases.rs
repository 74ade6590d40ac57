use ratelimit_tests::RedisServer;

use crate::program::{Program, figures, send};

const REQUESTS: u32 = 400;

#[tokio::test]
async fn few_requests_ask_redis_and_what_is_not_spent_goes_back_at_the_end() {
    let redis = RedisServer::start();
    let environment = [("REDIS_URL", &*redis.url())];
    let mut program = Program::start("leases", &environment);
    for _ in 0..REQUESTS {
        assert_eq!(send(program.get("/price")).await.status(), 200);
    }
    let calls = redis.calls("evalsha").await;
    assert!(calls < 100, "{calls} calls");
    program.signal("INT");
    while program.line().is_some() {}

    let other = Program::start("leases", &environment);
    let left = (100_000 - REQUESTS - 1).to_string();
    let response = send(other.get("/price")).await;
    assert_eq!(figures(&response), (200, Some("100000"), Some(&*left)));
}

#[tokio::test]
async fn in_memory_it_is_a_limit_like_others() {
    let program = Program::start("leases", &[]);
    for left in ["99999", "99998"] {
        let response = send(program.get("/price")).await;
        assert_eq!(figures(&response), (200, Some("100000"), Some(left)));
    }
}
