//! Failures that come at once, and while the store comes back, in many orders.

use shuttle::{future::block_on, thread};
use tokio::runtime;

use super::*;
use crate::sync::in_many_orders;

async fn probe(answers: Arc<AtomicBool>, is_probed: Arc<AtomicBool>) -> Result<(), StoreError> {
    assert!(!is_probed.swap(true, Ordering::SeqCst), "one task probes");
    tokio::task::yield_now().await;
    is_probed.store(false, Ordering::SeqCst);
    let answers = answers.load(Ordering::SeqCst);
    answers.then_some(()).ok_or_else(|| StoreError::new("gone"))
}

#[test]
fn an_outage_begins_once_and_ends_once() {
    in_many_orders(|| {
        // All threads of a model are one of the system's, and in this runtime with it.
        let runtime = runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let _entered = runtime.enter();
        let answers = Arc::new(AtomicBool::new(false));
        let breaker = {
            let (answers, is_probed) = (answers.clone(), Arc::new(AtomicBool::new(false)));
            Breaker::new(move || probe(answers.clone(), is_probed.clone()))
        };
        let failing = [(); 3].map(|()| {
            let breaker = breaker.clone();
            thread::spawn(move || {
                for _ in 0..3 {
                    let answer = breaker.ask(async || Err::<(), _>(StoreError::new("gone")));
                    assert!(block_on(answer).is_err());
                }
            })
        });
        let coming_back = {
            let answers = answers.clone();
            thread::spawn(move || answers.store(true, Ordering::SeqCst))
        };
        for _ in 0..3 {
            runtime.block_on(tokio::time::sleep(FIRST_PAUSE));
        }
        for thread in failing.into_iter().chain([coming_back]) {
            thread.join().expect("no panic");
        }
        runtime.block_on(tokio::time::sleep(10 * PAUSE));

        assert!(breaker.is_closed(), "nobody would be asked again");
        assert!(block_on(breaker.ask(async || Ok(()))).is_ok());
        let health = breaker.health();
        let was_up = std::iter::once(true).chain(health.changes.iter().map(|change| change.is_up));
        for (before, change) in was_up.zip(&health.changes) {
            assert_ne!(change.is_up, before, "{:?}", health.changes);
        }
        assert_eq!(2 * health.outages, health.changes.len() as u64);
        assert!(health.outages > 0, "nine failures and no answer");
    });
}
