use jsonwebtoken::{EncodingKey, Header, encode, get_current_timestamp};
use ratelimit_tests::header;
use serde_json::json;

use crate::program::{Program, figures, send};

const SECRET: &str = "the test's own";

fn start() -> Program {
    Program::start("jwt_identity", &[("JWT_SECRET", SECRET)])
}

async fn token(program: &Program, name: &str, plan: &str) -> String {
    let response = send(program.get(&format!("/token/{name}/{plan}"))).await;
    assert_eq!(response.status(), 200);
    response.text().await.expect("text")
}

fn signed(secret: &str, expires_at: u64) -> String {
    let claims = json!({"sub": "ann", "plan": "pro", "exp": expires_at});
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::default(), &claims, &key).expect("a token")
}

#[tokio::test]
async fn a_user_has_the_limit_of_the_plan() {
    let program = start();
    let ann = token(&program, "ann", "free").await;
    let search = |token: &str| program.get("/search").bearer_auth(token);
    for (status, left) in [(200, "2"), (200, "1"), (200, "0"), (429, "0")] {
        let response = send(search(&ann)).await;
        assert_eq!(figures(&response), (status, Some("3"), Some(left)));
    }
    // A new token is no new quota.
    let again = token(&program, "ann", "free").await;
    assert_eq!(send(search(&again)).await.status(), 429);

    let bob = token(&program, "bob", "pro").await;
    let response = send(search(&bob)).await;
    assert_eq!(figures(&response), (200, Some("30"), Some("29")));
    assert_eq!(
        response.text().await.expect("text"),
        "bob found something\n"
    );
}

#[tokio::test]
async fn a_token_that_is_no_good_costs_nothing() {
    let program = start();
    let now = get_current_timestamp();
    let forged = signed("somebody else's", now + 3_600);
    let expired = signed(SECRET, now - 3_600);
    for path in ["/search", "/news"] {
        for _ in 0..5 {
            for token in ["made-up", &forged, &expired] {
                let response = send(program.get(path).bearer_auth(token)).await;
                assert_eq!(figures(&response), (401, None, None), "{path} {token}");
                assert_eq!(header(&response, "www-authenticate"), Some("Bearer"));
            }
        }
    }
    let response = send(program.get("/search")).await;
    assert_eq!(figures(&response), (401, None, None));

    let good = signed(SECRET, now + 3_600);
    let response = send(program.get("/search").bearer_auth(good)).await;
    assert_eq!(figures(&response), (200, Some("30"), Some("29")));
    let response = send(program.get("/news")).await;
    assert_eq!(figures(&response), (200, Some("2"), Some("1")));
}

#[tokio::test]
async fn where_everybody_may_read_the_anonymous_are_on_the_lowest_tier() {
    let program = start();
    for (status, left) in [(200, "1"), (200, "0"), (429, "0")] {
        let response = send(program.get("/news")).await;
        assert_eq!(figures(&response), (status, Some("2"), Some(left)));
    }
    let ann = token(&program, "ann", "free").await;
    let response = send(program.get("/news").bearer_auth(ann)).await;
    assert_eq!(figures(&response), (200, Some("3"), Some("2")));
    assert_eq!(response.text().await.expect("text"), "the news for ann\n");
}
