use serde_json::{Value, json};

use crate::program::{Program, figures, send};

#[tokio::test]
async fn the_layer_limits_all_and_the_attribute_one_more_strictly() {
    let program = Program::start("whole_router", &[]);

    let response = send(program.get("/articles")).await;
    assert_eq!(figures(&response), (200, Some("10"), Some("9")));
    for (status, left) in [(200, "2"), (200, "1"), (200, "0"), (429, "0")] {
        let response = send(program.post("/comments")).await;
        assert_eq!(figures(&response), (status, Some("3"), Some(left)));
        if status == 429 {
            let problem: Value = response.json().await.expect("JSON");
            assert_eq!(problem["violated-policies"], json!(["comments"]));
        }
    }

    // The layer has charged the four that were allowed, and charges for a path that there is not, too.
    let response = send(program.get("/articles")).await;
    assert_eq!(figures(&response), (200, Some("10"), Some("5")));
    let response = send(program.get("/nowhere")).await;
    assert_eq!(figures(&response), (404, Some("10"), Some("4")));
    for _ in 0..4 {
        send(program.get("/articles")).await;
    }
    for request in [program.get("/articles"), program.post("/comments")] {
        let response = send(request).await;
        assert_eq!(figures(&response), (429, Some("10"), Some("0")));
        let problem: Value = response.json().await.expect("JSON");
        assert_eq!(problem["violated-policies"], json!(["everything"]));
    }

    for _ in 0..20 {
        let response = send(program.get("/health")).await;
        assert_eq!(figures(&response), (200, None, None));
    }
}
