use serde_json::json;

use crate::program::{Program, figures, send};

#[tokio::test]
async fn only_wrong_passwords_count() {
    let program = Program::start("login_failures", &[]);
    let login = |password: &str| {
        let login = json!({"user": "ann", "password": password});
        send(program.post("/login").json(&login))
    };

    for _ in 0..10 {
        let response = login("swordfish").await;
        assert_eq!(figures(&response), (200, Some("5"), Some("5")));
    }
    for _ in 0..10 {
        let response = send(program.post("/login").json("not a login")).await;
        assert_eq!(figures(&response), (422, Some("5"), Some("5")));
    }
    for left in ["4", "3", "2", "1", "0"] {
        let response = login("guess").await;
        assert_eq!(figures(&response), (401, Some("5"), Some(left)));
    }
    // Not even the right one, or guessing on would be worth it.
    for password in ["guess", "swordfish"] {
        let response = login(password).await;
        assert_eq!(figures(&response), (429, Some("5"), Some("0")));
    }
}
