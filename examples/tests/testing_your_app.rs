use crate::program::{Program, figures, send};

#[tokio::test]
async fn the_app_does_over_http_what_its_own_tests_say() {
    let program = Program::start("testing_your_app", &[]);

    for (status, left) in [(200, "1"), (200, "0"), (429, "0")] {
        let response = send(program.get("/double/21")).await;
        assert_eq!(figures(&response), (status, Some("2"), Some(left)));
        if status == 200 {
            assert_eq!(response.text().await.expect("text"), "42");
        }
    }
    let pro = program.get("/double/21").header("x-api-key", "demo-pro");
    assert_eq!(figures(&send(pro).await), (200, Some("20"), Some("19")));

    for (status, left) in [(200, "2"), (200, "1"), (200, "0"), (429, "0")] {
        let response = send(program.post("/orders")).await;
        assert_eq!(figures(&response), (status, Some("3"), Some(left)));
    }
}
