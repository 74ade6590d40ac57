use tokio::task::JoinSet;

use crate::program::{Program, figures, send};

#[tokio::test]
async fn it_limits_and_forgets_the_one_that_has_used_least_when_it_is_full() {
    let program = Program::start("custom_store", &[]);
    let weather = |city: &str| send(program.get(&format!("/weather/{city}")));

    for (status, left) in [
        (200, "4"),
        (200, "3"),
        (200, "2"),
        (200, "1"),
        (200, "0"),
        (429, "0"),
    ] {
        let response = weather("paris").await;
        assert_eq!(figures(&response), (status, Some("5"), Some(left)));
    }
    for n in 1..=99 {
        let response = weather(&n.to_string()).await;
        assert_eq!(figures(&response), (200, Some("5"), Some("4")));
    }
    // With these it is full, and has forgotten none.
    assert_eq!(weather("paris").await.status(), 429);
    assert_eq!(figures(&weather("1").await).2, Some("3"));

    // One more than there is room for, again and again: only those that have used little make room.
    for n in 100..150 {
        let response = weather(&n.to_string()).await;
        assert_eq!(figures(&response), (200, Some("5"), Some("4")));
        assert_eq!(weather("paris").await.status(), 429, "it has used all");
    }
}

#[tokio::test]
async fn of_requests_at_once_so_many_are_admitted_as_one_by_one() {
    let program = Program::start("custom_store", &[]);
    let mut requests = JoinSet::new();
    for _ in 0..40 {
        requests.spawn(send(program.get("/weather/oslo")));
    }
    let responses = requests.join_all().await;
    let admitted = responses.iter().filter(|response| response.status() == 200);
    assert_eq!(admitted.count(), 5);
}

#[tokio::test]
async fn it_keeps_the_tiers_of_api_keys() {
    let program = Program::start("custom_store", &[]);
    let response = send(program.get("/forecast").header("x-api-key", "k-alice")).await;
    assert_eq!(figures(&response), (200, Some("3"), Some("2")));
    let response = send(program.get("/forecast").header("x-api-key", "k-bob")).await;
    assert_eq!(figures(&response), (200, Some("1"), Some("0")));
}
