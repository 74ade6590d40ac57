//! A line of the log for what may happen a million times a second.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Microseconds between two lines.
const PAUSE: u64 = 1_000_000;

/// At most one line a second, with the count of what was left out since the last.
#[derive(Default)]
pub(crate) struct Sampled {
    said_at: AtomicU64,
    left_out: AtomicU64,
}

impl Sampled {
    /// Says it, with how much was left out, or leaves it out.
    pub(crate) fn say(&self, now: u64, line: impl FnOnce(u64)) {
        let said_at = self.said_at.load(Ordering::Relaxed);
        // The store's time and this process's are not the same: where the one takes over from the
        // other, what was said last may be far ahead.
        let is_due = now.abs_diff(said_at) >= PAUSE
            && self
                .said_at
                .compare_exchange(said_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_due {
            line(self.left_out.swap(0, Ordering::Relaxed));
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_and_the_count_of_the_rest() {
        let log = Sampled::default();
        let mut lines = Vec::new();
        for now in (5_000_000..8_000_000).step_by(1000) {
            log.say(now, |left_out| lines.push((now, left_out)));
        }
        assert_eq!(lines, [(5_000_000, 0), (6_000_000, 999), (7_000_000, 999)]);
        log.say(1_000, |left_out| lines.push((1_000, left_out)));
        assert_eq!(lines[3], (1_000, 999), "another clock has taken over");
    }
}

#[cfg(all(test, shuttle))]
mod models {
    use std::sync::Arc;

    use shuttle::thread;

    use super::*;
    use crate::sync::in_many_orders;

    #[test]
    fn each_is_said_or_counted_once() {
        in_many_orders(|| {
            let log = Arc::new(Sampled::default());
            let counted = Arc::new(AtomicU64::new(0));
            let say = |now| {
                let (log, counted) = (log.clone(), counted.clone());
                move || {
                    log.say(now, |left_out| {
                        counted.fetch_add(1 + left_out, Ordering::SeqCst);
                    });
                }
            };
            let threads = [1, 1, 2].map(|n| thread::spawn(say(n * PAUSE)));
            for thread in threads {
                thread.join().expect("no panic");
            }
            say(4 * PAUSE)();
            assert_eq!(counted.load(Ordering::SeqCst), 4);
        });
    }
}
