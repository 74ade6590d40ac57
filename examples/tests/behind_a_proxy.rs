use crate::program::{Program, complaint, figures, send};

/// The answer to a request with this `X-Forwarded-For`.
async fn forwarded(program: &Program, addresses: &str) -> reqwest::Response {
    send(program.get("/search").header("x-forwarded-for", addresses)).await
}

#[tokio::test]
async fn a_client_is_who_the_proxy_says_and_not_who_it_says_itself() {
    let program = Program::start("behind_a_proxy", &[("TRUSTED_PROXIES", "127.0.0.1")]);
    for (addresses, status, left) in [
        ("203.0.113.7", 200, "2"),
        // The client has sent the header itself, and the proxy has appended to it.
        ("198.51.100.1, 203.0.113.7", 200, "1"),
        ("127.0.0.1, 203.0.113.7", 200, "0"),
        ("198.51.100.2, 203.0.113.7", 429, "0"),
        ("203.0.113.8", 200, "2"),
        ("203.0.113.7", 429, "0"),
    ] {
        let response = forwarded(&program, addresses).await;
        let expected = (status, Some("3"), Some(left));
        assert_eq!(figures(&response), expected, "{addresses}");
    }
}

#[tokio::test]
async fn several_proxies_are_passed_over() {
    let proxies = [("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")];
    let program = Program::start("behind_a_proxy", &proxies);
    for (addresses, left) in [
        ("203.0.113.7, 10.1.2.3", "2"),
        ("198.51.100.1, 203.0.113.7, 10.3.2.1", "1"),
    ] {
        let response = forwarded(&program, addresses).await;
        assert_eq!(figures(&response), (200, Some("3"), Some(left)));
    }
}

#[tokio::test]
async fn who_is_not_trusted_is_not_believed() {
    let program = Program::start("behind_a_proxy", &[("TRUSTED_PROXIES", "10.0.0.0/8")]);
    for (n, status) in [(1, 200), (2, 200), (3, 200), (4, 429)] {
        let response = forwarded(&program, &format!("203.0.113.{n}")).await;
        assert_eq!(response.status(), status);
    }
}

#[test]
fn proxies_that_cannot_be_are_said_in_a_sentence() {
    for (proxies, expected) in [
        ("nonsense", r#"trusted_proxies: "nonsense" is neither"#),
        ("127.0.0.1,", r#"trusted_proxies: "" is neither"#),
        ("0.0.0.0/0", "trusted_proxies: 0.0.0.0/0 trusts everybody"),
    ] {
        let said = complaint("behind_a_proxy", &[("TRUSTED_PROXIES", proxies)]);
        let sentence = said.lines().last().unwrap_or_default();
        assert!(
            sentence.starts_with(&format!("behind_a_proxy: {expected}")),
            "{said}"
        );
    }
}
