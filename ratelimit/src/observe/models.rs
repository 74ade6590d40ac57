//! Requests that are counted while a second ends, in many orders.

use std::{net::Ipv4Addr, sync::Arc};

use shuttle::thread;

use super::*;
use crate::{
    policy::{Algorithm, Quota},
    sync::in_many_orders,
};

const BEGAN: u64 = 1_000_000;

#[test]
fn what_is_counted_while_seconds_end_is_in_one_of_them() {
    static TIERS: [Tier; 1] = [Tier::new("free", Quota::per_minute(1))];
    static POLICY: Policy = Policy::new("modelled", Algorithm::FixedWindow, &TIERS);
    in_many_orders(|| {
        let observer = Arc::new(Observer::begin(BEGAN));
        let requests = [1, 2].map(|n| {
            let observer = observer.clone();
            thread::spawn(move || {
                for client in [0, n] {
                    let client = ClientId::ip(Ipv4Addr::from(client).into());
                    observer.count(&POLICY, &TIERS[0], Outcome::Allowed);
                    observer.count(&POLICY, &TIERS[0], Outcome::Limited);
                    observer.turned_away(client);
                }
            })
        });
        observer.tick_at(BEGAN + 1);
        assert!(observer.most_limited(10).len() <= 3);
        observer.tick_at(BEGAN + 2);
        for thread in requests {
            thread.join().expect("no panic");
        }
        observer.tick_at(BEGAN + 3);

        let seconds = observer.history_after(BEGAN);
        let of_seconds = seconds.iter().flat_map(|second| &second.policies);
        let sum = of_seconds.fold(Totals::default(), |sum, (_, new)| sum.plus(new));
        assert_eq!((sum.allowed, sum.limited), (4, 4), "{seconds:?}");
        let limited = observer.most_limited(10);
        let times: Vec<u64> = limited.iter().map(|limited| limited.times).collect();
        assert_eq!(times, [2, 1, 1], "{limited:?}");
    });
}
