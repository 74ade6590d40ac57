use std::future::{pending, ready};

use super::{probes::PROBES_MAX, *};

/// A breaker whose probes say what this says, and how many there were.
fn breaker(answers: &Arc<AtomicBool>) -> (Breaker, Arc<AtomicU32>) {
    let probes = Arc::new(AtomicU32::new(0));
    let (answers, counter) = (answers.clone(), probes.clone());
    let breaker = Breaker::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let answers = answers.load(Ordering::Relaxed);
        ready(answers.then_some(()).ok_or_else(|| StoreError::new("gone")))
    });
    (breaker, probes)
}

async fn fail(breaker: &Breaker) {
    let answer = breaker.ask(|| ready(Err::<(), _>(StoreError::new("gone"))));
    assert!(answer.await.is_err());
}

async fn is_asked(breaker: &Breaker) -> bool {
    breaker.ask(|| ready(Ok(()))).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_few_failures_in_a_row_open_it_and_a_probe_closes_it() {
    let answers = Arc::new(AtomicBool::new(false));
    let (breaker, probes) = breaker(&answers);
    for _ in 0..10 {
        // Never so many in a row.
        fail(&breaker).await;
        fail(&breaker).await;
        assert!(is_asked(&breaker).await);
    }
    for _ in 0..FAILURES {
        fail(&breaker).await;
    }
    let asked = breaker.ask(pending::<Result<(), StoreError>>).await;
    assert!(asked.is_err(), "nobody waits during an outage");

    // After 50, 150, 350 and 750 ms, and then twice a second.
    tokio::time::sleep(Duration::from_millis(749)).await;
    assert_eq!(probes.load(Ordering::Relaxed), 3);
    tokio::time::sleep(6 * PAUSE + PAUSE / 2).await;
    assert!(!is_asked(&breaker).await, "the probes have had no answer");
    assert_eq!(probes.load(Ordering::Relaxed), 10);
    answers.store(true, Ordering::Relaxed);
    tokio::time::sleep(PAUSE).await;
    assert!(is_asked(&breaker).await);
    tokio::time::sleep(10 * PAUSE).await;
    assert_eq!(
        probes.load(Ordering::Relaxed),
        11,
        "one has, and is the last"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_one_bucket_is_no_outage() {
    let (breaker, _) = breaker(&Arc::default());
    for _ in 0..10 * FAILURES {
        let error = StoreError::of_one_bucket("a list, not a bucket");
        let answer = breaker.ask(|| ready(Err::<(), _>(error)));
        assert!(answer.await.is_err());
    }
    assert!(is_asked(&breaker).await);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_hangs_delays_no_other() {
    let probes = Arc::new(AtomicU32::new(0));
    let counter = probes.clone();
    // The first five never end; each as long as its store lets it.
    let breaker = Breaker::new(move || {
        let n = counter.fetch_add(1, Ordering::Relaxed);
        async move {
            if n < 5 {
                pending::<()>().await;
            }
            Ok(())
        }
    });
    let begin = Instant::now();
    for _ in 0..FAILURES {
        fail(&breaker).await;
    }
    while !is_asked(&breaker).await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // After 50, 150, 350, 750, 1250 and 1750 ms.
    assert_eq!(probes.load(Ordering::Relaxed), 6);
    assert!(begin.elapsed() < Duration::from_millis(1_760));
}

#[tokio::test(start_paused = true)]
async fn questions_from_before_an_outage_do_not_begin_another() {
    let (breaker, _) = breaker(&Arc::new(AtomicBool::new(true)));
    let late: Vec<_> = (0..10 * FAILURES)
        .map(|_| {
            let breaker = breaker.clone();
            tokio::spawn(async move {
                let question = async || {
                    tokio::time::sleep(2 * FIRST_PAUSE).await;
                    Err::<(), _>(StoreError::new("no answer in time"))
                };
                breaker.ask(question).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    for _ in 0..FAILURES {
        fail(&breaker).await;
    }
    assert!(!is_asked(&breaker).await);
    for question in late {
        assert!(question.await.expect("no panic").is_err());
    }
    assert!(is_asked(&breaker).await);
    assert_eq!(breaker.health().outages, 1);
    for _ in 0..FAILURES {
        fail(&breaker).await;
    }
    assert!(!is_asked(&breaker).await, "later questions count");
}

#[tokio::test(start_paused = true)]
async fn probes_that_hang_for_ever_are_bounded() {
    let running = Arc::new(());
    let counter = running.clone();
    let breaker = Breaker::new(move || {
        let running = counter.clone();
        async move {
            pending::<()>().await;
            drop(running);
            Ok(())
        }
    });
    for _ in 0..FAILURES {
        fail(&breaker).await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    // Beside this one and the breaker's.
    assert_eq!(Arc::strong_count(&running) - 2, PROBES_MAX);
}

#[cfg(feature = "metrics")]
#[tokio::test(start_paused = true)]
async fn a_recorder_that_panics_keeps_it_neither_open_nor_closed() {
    let answers = Arc::new(AtomicBool::new(false));
    let (breaker, _) = breaker(&answers);
    let recorder = crate::observe::BrokenRecorder;
    let guard = metrics::set_default_local_recorder(&recorder);
    for _ in 0..FAILURES {
        fail(&breaker).await;
    }
    drop(guard);
    assert!(!is_asked(&breaker).await);
    answers.store(true, Ordering::Relaxed);
    tokio::time::sleep(PAUSE).await;
    assert!(is_asked(&breaker).await);
}

#[test]
fn it_closes_with_the_runtime_that_probes() {
    let (breaker, _) = breaker(&Arc::default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for _ in 0..FAILURES {
            fail(&breaker).await;
        }
        assert!(!is_asked(&breaker).await);
    });
    drop(runtime);
    let another = tokio::runtime::Builder::new_current_thread().build();
    another.expect("a runtime").block_on(async {
        assert!(is_asked(&breaker).await, "or it would be open for ever");
    });
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_dropped_while_it_is_out_ends_its_outage() {
    let record = HealthRecord::new();
    let shard = |server: &str| {
        let gone = || ready(Err(StoreError::new("gone")));
        Breaker::of_shard(record.clone(), Some(server.to_owned()), gone)
    };
    let (kept, dropped) = (shard("redis-1:6379"), shard("redis-2:6379"));
    for _ in 0..FAILURES {
        fail(&dropped).await;
    }
    assert!(is_asked(&kept).await);
    assert!(!is_asked(&dropped).await);
    assert!(!kept.health().is_up);
    drop(dropped);
    let health = kept.health();
    assert!(health.is_up);
    let servers: Vec<_> = health
        .changes
        .iter()
        .map(|change| (change.is_up, change.server.as_deref()))
        .collect();
    let gone = Some("redis-2:6379");
    assert_eq!(servers, [(false, gone), (true, gone)]);
}

#[tokio::test(start_paused = true)]
async fn the_task_that_probes_ends_with_the_store() {
    let (breaker, _) = breaker(&Arc::default());
    for _ in 0..FAILURES {
        fail(&breaker).await;
    }
    let tasks = || Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks(), 1);
    drop(breaker);
    tokio::time::sleep(2 * PAUSE).await;
    assert_eq!(tasks(), 0);
}
