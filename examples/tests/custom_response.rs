use ratelimit_tests::header;
use serde_json::{Value, json};

use crate::program::{Program, figures, send};

#[tokio::test]
async fn a_429_looks_like_every_error_of_the_app() {
    let program = Program::start("custom_response", &[]);
    let book = |id: u32| send(program.get(&format!("/books/{id}")));

    let response = book(1).await;
    assert_eq!(figures(&response), (200, Some("3"), Some("2")));
    assert_eq!(
        header(&response, "ratelimit-policy"),
        Some(r#""books";q=3;w=60"#)
    );
    assert_eq!(header(&response, "ratelimit"), Some(r#""books";r=2;t=60"#));

    let response = book(2).await;
    assert_eq!(figures(&response), (404, Some("3"), Some("1")));
    assert_eq!(
        response.json::<Value>().await.expect("JSON"),
        json!({"error": {"code": "no_such_book", "message": "There is no book with the number 2."}})
    );

    book(1).await;
    let response = book(1).await;
    assert_eq!(figures(&response), (429, Some("3"), Some("0")));
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    let wait = header(&response, "retry-after").expect("a Retry-After");
    assert_eq!(
        header(&response, "ratelimit"),
        Some(&*format!(r#""books";r=0;t={wait}"#))
    );
    let message = format!("3 requests are allowed per minute. Try again in {wait} seconds.");
    assert_eq!(
        response.json::<Value>().await.expect("JSON"),
        json!({"error": {"code": "too_many_requests", "message": message}})
    );
}
