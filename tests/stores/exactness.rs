//! However many ask at once, exactly the limit is admitted.

use std::{
    process::{Command, Stdio},
    sync::Arc,
};

use ratelimit::{MemoryStore, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, one_bucket};

const LIMIT: u32 = 1_000;
const REQUESTS_PER_TASK: usize = 10;

#[test]
fn four_processes_of_64_tasks_through_one_redis() {
    for algorithm in ALGORITHMS {
        let redis = RedisServer::start();
        let processes: Vec<_> = (0..4)
            .map(|_| {
                Command::new(env!("CARGO_BIN_EXE_hammer"))
                    .args([redis.url(), algorithm.name().to_owned()])
                    .args([LIMIT.to_string(), REQUESTS_PER_TASK.to_string()])
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("the hammer starts")
            })
            .collect();
        let admitted: Vec<u32> = processes
            .into_iter()
            .map(|process| {
                let output = process.wait_with_output().expect("it ends");
                assert!(output.status.success());
                let printed = String::from_utf8(output.stdout).expect("text");
                printed.trim().parse().expect("a number")
            })
            .collect();
        assert_eq!(
            admitted.iter().sum::<u32>(),
            LIMIT,
            "{algorithm:?}: {admitted:?} of {} were admitted",
            4 * 64 * REQUESTS_PER_TASK
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_in_one_process_through_memory() {
    for algorithm in ALGORITHMS {
        let store = Arc::new(MemoryStore::new());
        let bucket = one_bucket(algorithm.name(), LIMIT);
        let tasks: Vec<_> = (0..256)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut admitted = 0;
                    for _ in 0..REQUESTS_PER_TASK {
                        let decision = store.check(&bucket, 1).await.expect("memory answers");
                        admitted += u32::from(decision.allowed);
                        tokio::task::yield_now().await;
                    }
                    admitted
                })
            })
            .collect();
        let mut admitted = 0;
        for task in tasks {
            admitted += task.await.expect("no panic");
        }
        assert_eq!(admitted, LIMIT, "{algorithm:?}");
    }
}
