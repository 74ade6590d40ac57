//! A switch that is turned here and elsewhere, in many orders.

use std::sync::Arc;

use shuttle::{future::block_on, thread};

use super::*;
use crate::{clock::ManualClock, sync::in_many_orders};

const MINUTE: Duration = Duration::from_secs(60);

fn bypass(reason: &str) -> Bypass {
    Bypass {
        reason: reason.to_owned(),
        since: UNIX_EPOCH,
        until: UNIX_EPOCH + MINUTE,
    }
}

impl Switch {
    fn reason(&self, clock: &ManualClock) -> Option<String> {
        let reason = self.bypass(clock).map(|bypass| bypass.reason);
        assert_eq!(self.is_on(clock), reason.is_some(), "{reason:?}");
        reason
    }
}

#[test]
fn one_that_ends_by_itself_takes_none_away_that_is_started() {
    in_many_orders(|| {
        let (switch, clock) = (Arc::new(Switch::default()), ManualClock::new());
        switch.set(Some(bypass("old")), MINUTE, &clock);
        clock.advance(MINUTE);
        let ticking = {
            let (switch, clock) = (switch.clone(), clock.clone());
            thread::spawn(move || {
                switch.tick(&clock);
                switch.tick(&clock);
            })
        };
        switch.set(Some(bypass("new")), MINUTE, &clock);
        ticking.join().expect("no panic");
        assert_eq!(switch.reason(&clock).as_deref(), Some("new"));
        clock.advance(MINUTE);
        switch.tick(&clock);
        assert_eq!(switch.reason(&clock), None);
    });
}

mod with_others {
    use super::*;

    /// What the processes of a fleet share.
    type Shared = Mutex<Option<Bypass>>;

    struct Process {
        switch: Switch,
        clock: ManualClock,
        shared: Arc<Shared>,
    }

    impl Process {
        fn new(shared: &Arc<Shared>) -> Arc<Self> {
            Arc::new(Self {
                switch: Switch::default(),
                clock: ManualClock::new(),
                shared: shared.clone(),
            })
        }

        fn turn(&self, bypass: Option<Bypass>) {
            self.switch.set(bypass, MINUTE, &self.clock);
            self.tell();
        }

        fn tell(&self) {
            let write = async |bypass| {
                *self.shared.lock().expect("not poisoned") = bypass;
                Ok(())
            };
            block_on(self.switch.tell(write)).expect("it is told");
        }

        fn follow(&self) {
            self.tell();
            let read = async {
                let found = self.shared.lock().expect("not poisoned").clone();
                Ok(found.map(|bypass| (bypass, MINUTE)))
            };
            block_on(self.switch.follow(read, &self.clock)).expect("it is read");
        }

        fn reason(&self) -> Option<String> {
            self.switch.reason(&self.clock)
        }

        fn known_to_all(&self) -> Option<String> {
            let shared = self.shared.lock().expect("not poisoned");
            shared.as_ref().map(|bypass| bypass.reason.clone())
        }
    }

    #[test]
    fn what_is_decided_here_is_not_undone_by_what_was_true_before() {
        in_many_orders(|| {
            let process = Process::new(&Arc::default());
            let following = {
                let process = process.clone();
                thread::spawn(move || {
                    process.follow();
                    process.follow();
                })
            };
            process.turn(Some(bypass("one")));
            assert_eq!(process.reason().as_deref(), Some("one"));
            process.turn(Some(bypass("two")));
            following.join().expect("no panic");
            assert_eq!(process.reason().as_deref(), Some("two"));
        });
    }

    #[test]
    fn what_is_decided_while_the_store_is_told_is_told_as_well() {
        in_many_orders(|| {
            let process = Process::new(&Arc::default());
            let turning = {
                let process = process.clone();
                thread::spawn(move || process.turn(Some(bypass("one"))))
            };
            process.turn(Some(bypass("two")));
            turning.join().expect("no panic");
            assert_eq!(process.reason(), process.known_to_all());
        });
    }

    #[test]
    fn in_the_end_all_processes_agree() {
        in_many_orders(|| {
            let shared = Arc::default();
            let processes = [Process::new(&shared), Process::new(&shared)];
            let following = processes.clone().map(|process| {
                thread::spawn(move || {
                    process.follow();
                    process.follow();
                })
            });
            let turning = {
                let process = processes[1].clone();
                thread::spawn(move || process.turn(Some(bypass("there"))))
            };
            processes[0].turn(Some(bypass("here")));
            processes[0].turn(None);
            for thread in following.into_iter().chain([turning]) {
                thread.join().expect("no panic");
            }
            // Whatever is untold is told, and then known to both.
            for process in processes.iter().chain(&processes) {
                process.follow();
            }
            let known = processes[0].known_to_all();
            assert_eq!(processes[0].reason(), known);
            assert_eq!(processes[1].reason(), known);
        });
    }
}
