//! What the examples log, and that `RUST_LOG` chooses it.

use std::{fs, net::TcpListener, path::Path};

use ratelimit_tests::eventually;

use crate::program::{Program, complaint, send};

const START: &str = "rate limits are in force";
const LIMITED: &str = "a request was turned away";

/// Has requests rejected, and returns what is logged until then.
async fn log_of(rust_log: &str) -> String {
    let file = format!("log of {}", rust_log.replace([':', '=', ','], "_"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    let program = Program::start_logging("quickstart", &[("RUST_LOG", rust_log)], &file);
    eventually("a 429", async || {
        send(program.get("/reports")).await.status() == 429
    })
    .await;
    drop(program);
    fs::read_to_string(&file).expect("a log")
}

#[tokio::test]
async fn rust_log_chooses_what_is_logged() {
    for (rust_log, has_start, has_limited) in [
        ("", true, true),
        ("ratelimit::limited=off", true, false),
        ("info,ratelimit::limited=off", true, false),
        ("warn", false, false),
        ("off,ratelimit::limited=info", false, true),
        ("off", false, false),
    ] {
        let log = log_of(rust_log).await;
        assert_eq!(log.contains(START), has_start, "{rust_log}: {log}");
        assert_eq!(log.contains(LIMITED), has_limited, "{rust_log}: {log}");
        assert!(!log.contains('\u{1b}'), "colors in a file: {log}");
    }
}

#[test]
fn what_is_wrong_with_the_port_is_all_that_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("bound").port().to_string();
    for name in ["quickstart", "custom_store", "monitoring", "leases"] {
        for port in ["x", "", "65536", "-1", &taken] {
            let said = complaint(name, &[("PORT", port)]);
            assert!(said.starts_with(&format!("{name}: ")), "{said}");
            assert!(!said.contains(START), "{said}");
        }
    }
}
