//! Each algorithm beside a slow, obvious model of what it means.

use std::time::Duration;

use super::*;

const ALGORITHMS: [Algorithm; 3] = [
    Algorithm::TokenBucket,
    Algorithm::SlidingWindow,
    Algorithm::FixedWindow,
];
const START: u64 = 1_700_000_000_000_000;

/// A small generator, so that a failing trace can be had again from its seed (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn quotas(algorithm: Algorithm) -> Vec<Quota> {
    let ms = Duration::from_millis;
    let mut quotas = vec![
        Quota::per_minute(7),
        Quota::new(3, Duration::from_micros(10)).with_burst(3),
        Quota::new(5, ms(1)),
        Quota::new(60, ms(1_000)),
        Quota::new(1, ms(86_400_000)),
    ];
    if algorithm == Algorithm::TokenBucket {
        // A log of this length would take the models too long.
        quotas.push(Quota::new(700_000, ms(1_000)));
    }
    quotas
}

/// Steps from 1 µs to several windows, most of them near the time in which a request is earned.
fn step(random: &mut Random, quota: &Quota) -> u64 {
    let per = quota.per_micros();
    match random.below(10) {
        0 => random.below(3 * per),
        1..=3 => random.below(3),
        _ => random.below(2 * per.div_ceil(u64::from(quota.limit())) + 2),
    }
}

fn cost(random: &mut Random, capacity: u32) -> u32 {
    let any = u32::try_from(random.below(u64::from(capacity) + 2)).unwrap_or(1);
    if random.below(3) == 0 { any } else { 1 }
}

#[test]
fn retry_after_is_the_exact_instant() {
    for algorithm in ALGORITHMS {
        for (seed, quota) in (1..).zip(quotas(algorithm)) {
            let mut random = Random(seed);
            let mut state = State::new(algorithm);
            let mut now = START;
            let mut denials = 0;
            for _ in 0..20_000 {
                now += step(&mut random, &quota);
                let cost = cost(&mut random, algorithm.capacity(&quota));
                let decision = state.check(&quota, cost, now);
                assert_eq!(
                    decision.retry_after.is_some(),
                    !decision.allowed && cost <= algorithm.capacity(&quota),
                    "a denied request that can ever be admitted, and no other, is told when"
                );
                let Some(wait) = decision.retry_after else {
                    continue;
                };
                denials += 1;
                let wait = u64::try_from(wait.as_micros()).expect("a window's length");
                assert!(wait > 0 && wait <= 2 * quota.per_micros());
                assert!(
                    !state.clone().check(&quota, cost, now + wait - 1).allowed,
                    "{algorithm:?} {quota:?}: admitted before retry_after"
                );
                assert!(
                    state.clone().check(&quota, cost, now + wait).allowed,
                    "{algorithm:?} {quota:?}: not admitted at retry_after"
                );
            }
            assert!(denials > 50, "{algorithm:?} {quota:?}: {denials} denials");
        }
    }
}

#[test]
fn remaining_is_what_would_be_admitted_and_reset_when_all_would() {
    for algorithm in ALGORITHMS {
        for (seed, quota) in (1..).zip(quotas(algorithm)) {
            let capacity = algorithm.capacity(&quota);
            let mut random = Random(seed);
            let mut state = State::new(algorithm);
            let mut now = START;
            for _ in 0..2_000 {
                now += step(&mut random, &quota);
                let cost = cost(&mut random, capacity);
                let Decision {
                    remaining,
                    reset_after,
                    ..
                } = state.check(&quota, cost, now);
                assert!(state.clone().check(&quota, remaining, now).allowed);
                assert!(!state.clone().check(&quota, remaining + 1, now).allowed);

                let reset = now + u64::try_from(reset_after.as_micros()).expect("short");
                assert!(state.clone().check(&quota, capacity, reset).allowed);
                if reset > now && reset_after > Duration::ZERO {
                    assert!(!state.clone().check(&quota, capacity, reset - 1).allowed);
                }
                assert!(state.expires_at_micros() <= reset.max(now));
            }
        }
    }
}

#[test]
fn a_denied_request_and_a_look_change_nothing() {
    for algorithm in ALGORITHMS {
        let quota = Quota::per_minute(5);
        let mut state = State::new(algorithm);
        for _ in 0..5 {
            assert!(state.check(&quota, 1, START).allowed);
        }
        let before = format!("{state:?}");
        for n in 0..100 {
            assert!(!state.check(&quota, 1, START + n).allowed);
            assert!(state.check(&quota, 0, START + n).allowed);
        }
        assert_eq!(format!("{state:?}"), before);
    }
}

#[test]
fn a_peek_says_what_a_check_would_and_what_is_left_without_it() {
    for algorithm in ALGORITHMS {
        for (seed, quota) in (1..).zip(quotas(algorithm)) {
            let mut random = Random(seed);
            let mut state = State::new(algorithm);
            let mut now = START;
            let mut allowed = 0;
            for _ in 0..1_000 {
                now += step(&mut random, &quota);
                if random.below(20) == 0 {
                    // The clock is set back.
                    now -= random.below(2 * quota.per_micros());
                }
                let cost = cost(&mut random, algorithm.capacity(&quota));
                let peeked = state.peek(&quota, cost, now);
                let left = state.clone().check(&quota, 0, now);
                let checked = state.check(&quota, cost, now);
                let expected = Decision {
                    allowed: checked.allowed,
                    retry_after: checked.retry_after,
                    ..left
                };
                assert_eq!(peeked, expected, "{algorithm:?} {quota:?}");
                allowed += usize::from(peeked.allowed);
            }
            assert!((50..950).contains(&allowed), "{quota:?}: {allowed}");
        }
    }
}

/// Sliding window against the definition: look at every admission there ever was.
#[test]
fn no_window_of_any_position_holds_more_than_the_limit() {
    for (seed, quota) in (1..).zip(quotas(Algorithm::SlidingWindow)) {
        let mut random = Random(seed);
        let mut state = State::new(Algorithm::SlidingWindow);
        let mut admitted: Vec<(u64, u32)> = Vec::new();
        let mut now = START;
        for _ in 0..20_000 {
            now += step(&mut random, &quota);
            let cost = cost(&mut random, quota.limit());
            let in_window: u32 = admitted
                .iter()
                .rev()
                .take_while(|(at, _)| at + quota.per_micros() > now)
                .map(|(_, cost)| cost)
                .sum();
            let decision = state.check(&quota, cost, now);
            assert_eq!(decision.allowed, in_window + cost <= quota.limit());
            if decision.allowed {
                admitted.push((now, cost));
            }
        }
    }
}

/// A sliding window that walks over all that is in it.
#[derive(Default)]
struct Window(Vec<(u64, u32)>);

impl Window {
    fn used(&self, quota: &Quota, now: u64) -> u64 {
        let is_in = |(at, _): &&(u64, u32)| at + quota.per_micros() > now;
        let within = self.0.iter().filter(is_in);
        within.map(|(_, units)| u64::from(*units)).sum()
    }

    fn step_back(&mut self, now: u64) {
        for (at, _) in &mut self.0 {
            *at = (*at).min(now);
        }
    }

    fn decide(&self, quota: &Quota, cost: u32, now: u64) -> Decision {
        let limit = u64::from(quota.limit());
        let used = self.used(quota, now);
        let allowed = used + u64::from(cost) <= limit;
        let after = |at: u64| Duration::from_micros(at + quota.per_micros() - now);
        // When so much has left the window that the cost fits in.
        let fits = |at: &u64| {
            let at_that_time = at + quota.per_micros();
            self.used(quota, at_that_time) + u64::from(cost) <= limit
        };
        let mut stamps = self.0.iter().map(|(at, _)| *at);
        let newest = if allowed && cost > 0 {
            Some(now)
        } else {
            stamps.clone().max().filter(|_| used > 0)
        };
        let left = limit - used - u64::from(if allowed { cost } else { 0 });
        Decision {
            allowed,
            remaining: u32::try_from(left).expect("at most the limit"),
            retry_after: (!allowed && cost <= quota.limit())
                .then(|| after(stamps.find(fits).expect("it fits in once all have left"))),
            reset_after: newest.map_or(Duration::ZERO, after),
            at_micros: now,
        }
    }

    fn take(&mut self, quota: &Quota, cost: u32, now: u64) {
        self.0.retain(|(at, _)| at + quota.per_micros() > now);
        self.0.push((now, cost));
    }

    fn refund(&mut self, mut cost: u32, taken_at: u64) {
        for (at, units) in &mut self.0 {
            if *at == taken_at {
                let given = cost.min(*units);
                *units -= given;
                cost -= given;
            }
        }
        self.0.retain(|(_, units)| *units > 0);
    }
}

/// Costs of one unit, of a few and of nearly all, many of them at one instant; with what is charged and
/// given back, and with a clock that steps back. The last limits are more than a policy can have, and more
/// than the log's words can count.
#[test]
fn a_log_of_entries_decides_as_one_of_units_would() {
    let minute = Duration::from_secs(60);
    let mut quotas = quotas(Algorithm::SlidingWindow);
    quotas.push(Quota::new(131_072, minute));
    quotas.push(Quota::new(700_000, minute));
    quotas.push(Quota::new(u32::MAX, Duration::from_secs(86_400 * 366)));
    for (seed, quota) in (1..).zip(quotas) {
        let mut random = Random(seed);
        let mut state = State::new(Algorithm::SlidingWindow);
        let mut window = Window::default();
        let mut now = START;
        let mut taken = Vec::new();
        let (mut denials, mut refunds) = (0, 0);
        for round in 0..20_000 {
            let at = format!("{quota:?} round {round}");
            now = match random.below(200) {
                0 => now - random.below(2 * quota.per_micros()),
                1..=80 => now,
                81..=90 => now + random.below(quota.per_micros()),
                _ => now + random.below(1 + quota.per_micros() / 50),
            };
            let most = u64::from(quota.limit()) + 2;
            let cost = match random.below(8) {
                0 => random.below(most),
                1 => random.below(1 + most / 10),
                2 => random.below(1 + most / 500),
                3 => random.below(4),
                _ => 1,
            };
            let cost = u32::try_from(cost).unwrap_or(u32::MAX);
            if random.below(8) == 0 && !taken.is_empty() {
                let recent = random.below(taken.len().min(8) as u64 + 1);
                let n = taken.len() - usize::try_from(recent).expect("small").max(1);
                let (taken_at, cost): (u64, u32) = taken.remove(n);
                window.refund(cost, taken_at);
                state.refund(&quota, cost, taken_at, now);
                refunds += 1;
                continue;
            }
            let peeked = state.peek(&quota, cost, now);
            window.step_back(now);
            let expected = window.decide(&quota, cost, now);
            assert_eq!(peeked.allowed, expected.allowed, "{at}");
            assert_eq!(peeked.retry_after, expected.retry_after, "{at}");
            if random.below(8) == 0 {
                let left = quota.limit() - u32::try_from(window.used(&quota, now)).expect("fits");
                let charged = state.charge(&quota, cost, now);
                assert_eq!(charged.allowed, cost <= left, "{at}");
                let cost = cost.min(left);
                let expected = window.decide(&quota, cost, now);
                assert_eq!(charged.remaining, expected.remaining, "{at}");
                assert_eq!(charged.reset_after, expected.reset_after, "{at}");
                if cost > 0 {
                    window.take(&quota, cost, now);
                }
                continue;
            }
            assert_eq!(state.check(&quota, cost, now), expected, "{at}");
            denials += usize::from(!expected.allowed);
            if expected.allowed && cost > 0 {
                window.take(&quota, cost, now);
                taken.push((now, cost));
            }
        }
        assert!(
            denials > 300 && refunds > 300,
            "{quota:?}: {denials}, {refunds}"
        );
    }
}

/// A request of any cost, and as many requests as there may be at one instant, take one entry.
#[test]
fn what_is_admitted_at_one_instant_takes_one_entry() {
    let quota = Quota::per_minute(131_072);
    let minute = 60_000_000;
    for costs in [vec![131_072], vec![1; 131_072], vec![1, 131_000, 71]] {
        let mut log = sliding_window::Log::default();
        for cost in costs {
            assert!(log.check(&quota, cost, START).allowed);
        }
        assert_eq!(log.entries(), (1, 1));
        let rejected = log.check(&quota, 131_072, START + 1);
        assert_eq!(
            rejected.retry_after,
            Some(Duration::from_micros(minute - 1))
        );
        assert!(log.check(&quota, 131_072, START + minute).allowed);
        assert_eq!(log.entries(), (1, 1));
    }
    // Nor do all of them that are taken to have come evenly.
    let log = sliding_window::Log::even(131_072, START, &quota);
    assert!(log.entries().0 <= 256, "{:?}", log.entries());
    assert_eq!(log.used(START), 131_072);
}

/// Token bucket against a bucket that is refilled in exact fractions of a token.
#[test]
fn the_token_bucket_never_gives_more_than_the_rate_and_hardly_less() {
    for (seed, quota) in (1..).zip(quotas(Algorithm::TokenBucket)) {
        let quota = quota.with_burst(quota.limit().min(40));
        let mut random = Random(seed);
        let mut state = State::new(Algorithm::TokenBucket);
        let mut now = START;
        // In tokens times `per`, so that a microsecond earns exactly `limit` of them.
        let per = u128::from(quota.per_micros());
        let full = u128::from(quota.burst()) * per;
        let mut level = full;
        for _ in 0..20_000 {
            let step = step(&mut random, &quota);
            now += step;
            level = full.min(level + u128::from(step) * u128::from(quota.limit()));
            let cost = cost(&mut random, quota.burst());
            if state.check(&quota, cost, now).allowed {
                level = level
                    .checked_sub(u128::from(cost) * per)
                    .expect("more than the rate was admitted");
            }
        }
        // Asking all the time, as many are admitted as the rate promises, less at most 0.1 %.
        let (mut admitted, begin) = (0_u64, now);
        let interval = (quota.per_micros() / u64::from(quota.limit())).max(1);
        for _ in 0..1_000_000_000_000_u64.div_ceil(interval).min(100_000) {
            now += interval;
            while state.check(&quota, 1, now).allowed {
                admitted += 1;
            }
        }
        let promised =
            u128::from(now - begin) * u128::from(quota.limit()) / u128::from(quota.per_micros());
        assert!(
            u128::from(admitted) * 1_000 + 2_000 >= promised * 999,
            "{quota:?}: {admitted} of {promised}"
        );
    }
}

/// Fixed window against a list of windows.
#[test]
fn a_fixed_window_opens_at_the_first_request() {
    for (seed, quota) in (1..).zip(quotas(Algorithm::FixedWindow)) {
        let mut random = Random(seed);
        let mut state = State::new(Algorithm::FixedWindow);
        let mut window: Option<(u64, u32)> = None;
        let mut now = START;
        for _ in 0..20_000 {
            now += step(&mut random, &quota);
            let cost = cost(&mut random, quota.limit());
            window = window.filter(|(open, _)| now < open + quota.per_micros());
            let (open, used) = window.unwrap_or((now, 0));
            let decision = state.check(&quota, cost, now);
            assert_eq!(decision.allowed, used + cost <= quota.limit());
            if decision.allowed && cost > 0 {
                window = Some((open, used + cost));
            }
        }
    }
}

/// Had the requests that got their cost back never been, all the others would have been admitted.
#[test]
fn a_refund_gives_back_no_more_than_was_taken() {
    for algorithm in [Algorithm::TokenBucket, Algorithm::SlidingWindow] {
        for (seed, quota) in (1..).zip(quotas(algorithm)) {
            let mut random = Random(seed);
            let mut state = State::new(algorithm);
            let mut now = START;
            let mut admitted: Vec<(u64, u32)> = Vec::new();
            let mut refunds = 0;
            for _ in 0..5_000 {
                now += step(&mut random, &quota);
                if random.below(4) == 0 && !admitted.is_empty() {
                    let recent = random.below(admitted.len().min(8) as u64 + 1);
                    let n = admitted.len() - usize::try_from(recent).expect("small").max(1);
                    let (at, cost) = admitted.remove(n);
                    state.refund(&quota, cost, at, now);
                    refunds += 1;
                    continue;
                }
                let cost = cost(&mut random, algorithm.capacity(&quota));
                if state.check(&quota, cost, now).allowed && cost > 0 {
                    admitted.push((now, cost));
                }
            }
            assert!(refunds > 500);
            let mut replay = State::new(algorithm);
            for (at, cost) in admitted {
                assert!(
                    replay.check(&quota, cost, at).allowed,
                    "{algorithm:?} {quota:?}: a refund let in too much at {at}"
                );
            }
        }
    }
}

#[test]
fn a_refund_at_once_undoes_the_request() {
    for algorithm in ALGORITHMS {
        let quota = Quota::per_minute(5);
        let mut state = State::new(algorithm);
        for n in 0..20 {
            let taken = state.check(&quota, 2, START + n);
            assert_eq!(taken, State::new(algorithm).check(&quota, 2, START + n));
            assert_eq!((taken.allowed, taken.remaining), (true, 3));
            let after = state.refund(&quota, 2, taken.at_micros, START + n);
            assert_eq!((after.remaining, after.reset_after), (5, Duration::ZERO));
            assert!(state.expires_at_micros() <= START + n, "{algorithm:?}");
        }
    }
}

#[test]
fn the_share_used_is_that_of_the_cost_that_counts() {
    for algorithm in ALGORITHMS {
        for (seed, quota) in (1..).zip(quotas(algorithm)) {
            let capacity = algorithm.capacity(&quota);
            let share = |used: u32| RoundedCapacity::new(capacity.into()).share(used.into());
            let share_of_ticks = |used| RoundedCapacity::new(quota.capacity_ticks()).share(used);
            let mut random = Random(seed);
            let mut state = State::new(algorithm).with_capacity_of(&quota);
            let mut now = START;
            for _ in 0..2_000 {
                now += step(&mut random, &quota);
                let cost = cost(&mut random, capacity);
                let decision = state.check(&quota, cost, now);
                let used = state.share_used(now);
                let expires_at = state.expires_at_micros();
                if algorithm == Algorithm::TokenBucket {
                    // It says when it is full to a microsecond.
                    let reset = u64::try_from(decision.reset_after.as_micros()).expect("short");
                    assert!(used <= share_of_ticks(reset * TICKS_PER_MICRO));
                    assert!(used >= share_of_ticks(reset.saturating_sub(1) * TICKS_PER_MICRO));
                } else {
                    assert_eq!(used, share(capacity - decision.remaining), "{quota:?}");
                    assert!(expires_at <= now || state.share_used(expires_at - 1) > share(0));
                }
                assert_eq!(state.share_used(expires_at.max(now)), share(0));
            }
            state.charge(&quota, capacity, now);
            assert_eq!(state.share_used(now), share(capacity), "{algorithm:?}");
            assert_eq!(state.share_used(0), share(capacity), "at most all of it");
        }
    }
}

#[test]
fn a_refund_that_comes_too_late_gives_nothing() {
    let minute = 60_000_000;
    for algorithm in ALGORITHMS {
        let quota = Quota::per_minute(5);
        let mut state = State::new(algorithm);
        let taken = state.check(&quota, 5, START);
        assert!(state.check(&quota, 5, START + minute).allowed);
        let after = state.refund(&quota, 5, taken.at_micros, START + minute);
        assert_eq!(after.remaining, 0, "{algorithm:?}");
    }
}

#[test]
fn a_charge_takes_what_there_is() {
    for algorithm in ALGORITHMS {
        let quota = Quota::per_minute(5);
        let mut state = State::new(algorithm);
        let all_there = state.charge(&quota, 3, START);
        assert!(all_there.allowed);
        assert_eq!(all_there.remaining, 2);
        let too_much = state.charge(&quota, 1_000_000, START);
        assert!(!too_much.allowed);
        assert_eq!(too_much.remaining, 0);
        let Decision { reset_after, .. } = too_much;
        assert!(reset_after <= quota.per(), "{algorithm:?}: below the floor");
        let reset = START + u64::try_from(reset_after.as_micros()).expect("a minute");
        assert!(state.check(&quota, 5, reset).allowed, "{algorithm:?}");
    }
}

/// What a window has no more left of is not taken from it, now or later.
#[test]
fn a_charge_to_a_window_is_a_check_of_what_there_is() {
    for algorithm in [Algorithm::SlidingWindow, Algorithm::FixedWindow] {
        for (seed, quota) in (1..).zip(quotas(algorithm)) {
            let mut random = Random(seed);
            let [mut charged, mut checked] = [(); 2].map(|()| State::new(algorithm));
            let mut now = START;
            for _ in 0..1_000 {
                now += step(&mut random, &quota);
                let cost = cost(&mut random, 2 * quota.limit());
                let left = checked.peek(&quota, 0, now).remaining;
                let expected = Decision {
                    allowed: cost <= left,
                    ..checked.check(&quota, cost.min(left), now)
                };
                assert_eq!(charged.charge(&quota, cost, now), expected, "{quota:?}");
                assert_eq!(format!("{charged:?}"), format!("{checked:?}"));
            }
        }
    }
}

#[test]
fn a_clock_that_steps_back_locks_nobody_out_and_gives_nothing_back() {
    let hour = 3_600_000_000;
    for algorithm in ALGORITHMS {
        let quota = Quota::per_minute(5);
        let mut state = State::new(algorithm);
        for _ in 0..5 {
            assert!(state.check(&quota, 1, START).allowed);
        }
        let stepped = START - hour;
        let denied = state.check(&quota, 1, stepped);
        assert!(!denied.allowed, "{algorithm:?}: what was used came back");
        let wait = denied.retry_after.expect("a cost that fits");
        assert!(
            wait <= quota.per(),
            "{algorithm:?}: locked out for {wait:?}"
        );
        assert!(state.expires_at_micros() <= stepped + quota.per_micros());
        let wait = u64::try_from(wait.as_micros()).expect("a minute");
        assert!(state.check(&quota, 1, stepped + wait).allowed);
    }
}

/// Ends of the scale: where the token bucket's ticks no longer fit in 64 bits, its bucket is full.
#[test]
fn times_at_the_end_of_the_scale_do_not_overflow() {
    let year = Duration::from_secs(366 * 86_400);
    let micros = 366 * 86_400_000_000;
    for quota in [Quota::new(u32::MAX, year), Quota::new(5, year)] {
        for algorithm in ALGORITHMS {
            let last = match algorithm {
                Algorithm::TokenBucket => (u64::MAX - quota.capacity_ticks()) / TICKS_PER_MICRO,
                _ => u64::MAX - micros,
            };
            for now in [0, 1, last - 1, last] {
                let at = format!("{algorithm:?} {quota:?} at {now}");
                let mut state = State::new(algorithm);
                let first = state.check(&quota, 1, now);
                assert_eq!((first.allowed, first.remaining), (true, quota.limit() - 1));
                let taken = state.check(&quota, 3, now);
                assert_eq!((taken.allowed, taken.remaining), (true, quota.limit() - 4));
                assert_eq!(taken.at_micros, now);
                // All is used up, and back at the instant that is said.
                let charged = state.clone().charge(&quota, 1, now);
                assert_eq!(charged.remaining, quota.limit() - 5, "{at}");
                if quota.limit() == 5 {
                    assert!(state.check(&quota, 1, now).allowed);
                    let rejected = state.check(&quota, 1, now);
                    assert!(!rejected.allowed, "{at}");
                    let wait = rejected.retry_after.expect("it fits");
                    let wait = u64::try_from(wait.as_micros()).expect("a year");
                    assert!((1..=micros).contains(&wait), "{at}: {wait}");
                    assert!(!state.clone().check(&quota, 1, now + wait - 1).allowed);
                    assert!(state.clone().check(&quota, 1, now + wait).allowed, "{at}");
                }
                let reset = taken.reset_after.as_micros();
                assert!((1..=u128::from(micros)).contains(&reset), "{at}: {reset}");
                assert!(state.expires_at_micros() > now, "{at}");
            }
            // Later than that a client may get more, but it does not wait for longer than a window,
            // or by a thousandth longer, as a token bucket's rate is rounded.
            let longest = year + year / 1_000;
            let mut state = State::new(algorithm);
            for now in [last, last + 1, u64::MAX - 1, u64::MAX, 0] {
                let decision = state.check(&quota, 1, now);
                assert!(decision.reset_after <= longest, "{algorithm:?} {now}");
                assert!(decision.retry_after.is_none_or(|wait| wait <= longest));
                assert!(decision.remaining <= quota.limit());
            }
        }
    }
}
