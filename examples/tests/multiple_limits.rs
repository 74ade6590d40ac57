use serde_json::{Value, json};

use crate::program::{Program, figures, send};

#[tokio::test]
async fn all_limits_are_kept_and_none_is_charged_for_another() {
    let program = Program::start("multiple_limits", &[]);
    let build = |project: &str| send(program.post(&format!("/projects/{project}/builds")));

    for left in ["2", "1", "0"] {
        let response = build("website").await;
        assert_eq!(figures(&response), (200, Some("3"), Some(left)));
    }
    for _ in 0..5 {
        let response = build("website").await;
        assert_eq!(figures(&response), (429, Some("3"), Some("0")));
        let problem: Value = response.json().await.expect("JSON");
        assert_eq!(problem["violated-policies"], json!(["builds-of-a-project"]));
    }

    // None of those five was charged to the hour, of which two are left: the tighter limit now.
    for left in ["1", "0"] {
        let response = build("app").await;
        assert_eq!(figures(&response), (200, Some("5"), Some(left)));
    }
    let response = build("app").await;
    assert_eq!(figures(&response), (429, Some("5"), Some("0")));
    let problem: Value = response.json().await.expect("JSON");
    assert_eq!(problem["violated-policies"], json!(["builds"]));

    let problem: Value = build("website").await.json().await.expect("JSON");
    assert_eq!(
        problem["violated-policies"],
        json!(["builds-of-a-project", "builds"])
    );
}
