//! What happens to the limits when something happens to Redis: each fault with load running, and at
//! the end a table.
//!
//! `cargo test -p ratelimit-tests --test faults` runs them all, one after another, since they
//! measure how long checks take; `… --test faults -- proxy` those whose names contain `proxy`.

mod held;
mod load;
mod scene;

use std::{
    io::{self, Write},
    pin::Pin,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Trial};
use ratelimit_tests::Trouble;
use tokio::time::sleep;

use self::{
    held::Held,
    load::{LIMIT, Load, Report},
    scene::{Scene, Way, run, until},
};

/// What a check may take beyond its timeout.
const SLACK: Duration = Duration::from_millis(50);

/// How soon after a fault Redis decides again.
const RECOVERY: Duration = Duration::from_secs(2);

/// Without a check that Redis did not decide for so long, the fault is over.
const SETTLED: Duration = Duration::from_secs(1);

struct Fault {
    name: &'static str,
    way: Way,
    /// The store counts in a clock that can be stepped.
    steps: bool,
    /// How many times a client's limit is forgotten by Redis.
    forgets: u32,
    /// Begins it, and ends it.
    happens: for<'a> fn(&'a mut Scene) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

/// How long most faults last: long enough for the breaker to open and to probe a few times.
const FOR: Duration = Duration::from_millis(1_500);

macro_rules! faults {
    ($($name:literal, $way:ident, forgets $forgets:literal, steps $steps:literal, $scene:ident => $happens:block)*) => {
        &[$(Fault {
            name: $name,
            way: Way::$way,
            steps: $steps,
            forgets: $forgets,
            happens: |$scene| Box::pin(async move { $happens }),
        }),*]
    };
}

const FAULTS: &[Fault] = faults! {
    "none", Direct, forgets 0, steps false, _scene => { sleep(FOR).await }
    "server stands still for 5 s (SIGSTOP)", Direct, forgets 0, steps false, scene => {
        scene.server().stop();
        sleep(Duration::from_secs(5)).await;
        scene.server().cont();
    }
    "server killed (-9) and started again, with its log", Direct, forgets 0, steps false, scene => {
        scene.kill();
        sleep(FOR).await;
        scene.start_again();
    }
    "CLIENT PAUSE 1500", Direct, forgets 0, steps false, scene => {
        scene.tell("CLIENT PAUSE 1500").await;
        sleep(FOR).await;
    }
    "CLIENT KILL TYPE normal", Direct, forgets 0, steps false, scene => {
        scene.tell("CLIENT KILL TYPE normal SKIPME yes").await;
    }
    "SCRIPT FLUSH", Direct, forgets 0, steps false, scene => {
        scene.tell("SCRIPT FLUSH").await;
    }
    "FLUSHALL", Direct, forgets 1, steps false, scene => {
        scene.tell("FLUSHALL").await;
    }
    "DEBUG SLEEP 1.5", Direct, forgets 0, steps false, scene => {
        scene.tell("DEBUG SLEEP 1.5").await;
    }
    "no memory left (maxmemory, noeviction)", Direct, forgets 0, steps false, scene => {
        scene.tell("CONFIG SET maxmemory 1").await;
        sleep(FOR).await;
        scene.tell("CONFIG SET maxmemory 0").await;
    }
    "a replica that takes no writes", Direct, forgets 0, steps false, scene => {
        scene.tell("REPLICAOF 127.0.0.1 1").await;
        sleep(FOR).await;
        scene.tell("REPLICAOF NO ONE").await;
    }
    "another password, then none again", Direct, forgets 0, steps false, scene => {
        // A connection that is there is asked for no password.
        let mut connection = scene.connection().await;
        run(&mut connection, "CONFIG SET requirepass another").await;
        run(&mut connection, "CLIENT KILL TYPE normal SKIPME yes").await;
        sleep(FOR).await;
        run(&mut connection, "CONFIG SET requirepass ''").await;
    }
    "a password that is not the limiter's, then that again", Login, forgets 0, steps false, scene => {
        scene.tell("ACL SETUSER limiter <secret >another").await;
        scene.tell("CLIENT KILL TYPE normal SKIPME yes").await;
        sleep(FOR).await;
        scene.tell("ACL SETUSER limiter <another >secret").await;
    }
    "clock an hour back, then forward again", Direct, forgets 0, steps true, scene => {
        scene.clock.step(-3600);
        sleep(FOR).await;
        scene.clock.step(3600);
    }
    "clock an hour forward, then back again", Direct, forgets 0, steps true, scene => {
        scene.clock.step(3600);
        sleep(FOR).await;
        scene.clock.step(-3600);
    }
    "proxy delays answers by 300 ms", Proxy, forgets 0, steps false, scene => {
        scene.proxy.make(Trouble::Delay(Duration::from_millis(300)));
        sleep(FOR).await;
        scene.proxy.make(Trouble::None);
    }
    "proxy loses all it carries, for ever", Proxy, forgets 0, steps false, scene => {
        scene.proxy.make(Trouble::BlackHole);
        sleep(FOR).await;
        scene.proxy.make(Trouble::None);
    }
    "proxy loses one connection of several, for ever", ProxyInTurn, forgets 0, steps false, scene => {
        scene.proxy.make(Trouble::BlackHoleOfOne);
        sleep(FOR).await;
        scene.proxy.make(Trouble::None);
    }
    "proxy closes connections", Proxy, forgets 0, steps false, scene => {
        scene.proxy.make(Trouble::Refuse);
        sleep(FOR).await;
        scene.proxy.make(Trouble::None);
    }
    "proxy cuts answers in half", Proxy, forgets 0, steps false, scene => {
        scene.proxy.make(Trouble::Cut);
        sleep(FOR).await;
        scene.proxy.make(Trouble::None);
    }
    "proxy answers with garbage", Proxy, forgets 0, steps false, scene => {
        scene.proxy.make(Trouble::Garbage);
        sleep(FOR).await;
        scene.proxy.make(Trouble::None);
    }
    "master killed, and its replica made the master", Sentinel, forgets 1, steps false, scene => {
        scene.kill();
        scene.failed_over().await;
    }
    "master and first sentinel stand still (SIGSTOP)", SilentSentinel, forgets 1, steps false, scene => {
        scene.silence_first_sentinel();
        scene.server().stop();
        scene.failed_over().await;
    }
    "first sentinel names the master that was demoted", StaleSentinel, forgets 1, steps false, scene => {
        scene.switch_masters().await;
        scene.named().await;
    }
    "CLIENT KILL, 60 ms away, 16 connections", Distant, forgets 0, steps false, scene => {
        scene.tell("CLIENT KILL TYPE normal SKIPME yes").await;
    }
    "twemproxy before two servers killed (-9) and started again", Twemproxy, forgets 0, steps false, scene => {
        scene.restart_twemproxy(FOR).await;
    }
    "runtime that opened the connections ends", OtherRuntime, forgets 0, steps false, scene => {
        scene.end_runtime();
    }
    "one shard of three stands still for 5 s (SIGSTOP), and the first seed is silent", Cluster, forgets 0, steps false, scene => {
        scene.server().stop();
        sleep(Duration::from_secs(5)).await;
        scene.server().cont();
    }
    "no server yet when the application starts", NotYet, forgets 0, steps false, scene => {
        sleep(FOR).await;
        scene.start_again();
    }
};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let runtime = Arc::new(runtime);
    let rows = Arc::new(Mutex::new(Vec::new()));
    let trials = FAULTS.iter().map(|fault| {
        let (runtime, rows) = (runtime.clone(), rows.clone());
        Trial::test(fault.name, move || {
            let outcome = runtime.block_on(outcome(fault));
            let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.push(outcome.row(fault));
            match outcome.failures(fault).as_slice() {
                [] => Ok(()),
                failures => Err(failures.join("\n").into()),
            }
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    if !rows.is_empty() {
        // Nobody listens, which is no failure of the limits.
        let _ = writeln!(io::stdout(), "{HEAD}\n{}\n", rows.join("\n"));
    }
    conclusion.exit_code()
}

const HEAD: &str = "| fault | checks | without Redis | most admitted of a used-up limit, of at most | of a new one, of at most | slowest check | recovery |\n\
    | --- | --- | --- | --- | --- | --- | --- |";

struct Outcome {
    report: Report,
    recovery: Duration,
    is_held: Result<(), String>,
    is_decided_by_redis: bool,
}

async fn outcome(fault: &Fault) -> Outcome {
    let mut scene = Scene::set(fault.way, fault.steps).await;
    let load = Load::start(&scene.limiter, fault.way.concurrent());
    let used_up = until(Duration::from_secs(10), async || load.is_used_up());
    assert!(used_up.await, "the load is too small");
    let (clients, to_come) = match fault.way {
        Way::NotYet => (0, fault.way.connections()),
        // They come to this runtime.
        Way::OtherRuntime => (scene.clients().await, fault.way.connections()),
        _ => (scene.clients().await, 0),
    };
    let held = Held::now();

    load.more_come();
    (fault.happens)(&mut scene).await;

    let end = Instant::now();
    // Until it is seen to be over, or not to be.
    until(RECOVERY + Duration::from_millis(500), async || {
        end.max(load.last_degraded()).elapsed() >= SETTLED
    })
    .await;
    let recovery = load.last_degraded().saturating_duration_since(end);
    let asked = scene.server().calls("evalsha").await;
    let is_decided_by_redis = until(Duration::from_secs(1), async || {
        scene.server().calls("evalsha").await > asked
    });
    let is_decided_by_redis = is_decided_by_redis.await;
    let is_settled = until(Duration::from_secs(3), async || {
        Held::now().is_no_more_than(held, to_come) && scene.clients().await <= clients + to_come + 2
    });
    let is_held = if is_settled.await {
        Ok(())
    } else {
        Err(format!(
            "{held:?} and {clients} clients of the server became {:?} and {}",
            Held::now(),
            scene.clients().await
        ))
    };
    Outcome {
        report: load.stop().await,
        recovery,
        is_held,
        is_decided_by_redis,
    }
}

impl Outcome {
    fn row(&self, fault: &Fault) -> String {
        let Report {
            checks,
            degraded,
            admitted_first,
            admitted_later,
            worst,
            ..
        } = self.report;
        format!(
            "| {} | {checks} | {degraded} | {admitted_first} of {} | {admitted_later} of {} | {} ms | {} ms |",
            fault.name,
            fault.bound_first(),
            fault.bound_later(),
            worst.as_millis(),
            self.recovery.as_millis()
        )
    }

    fn failures(&self, fault: &Fault) -> Vec<String> {
        let report = &self.report;
        let mut failures = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                failures.push(what);
            }
        };
        expect(
            report.panics == 0,
            format!("{} tasks panicked", report.panics),
        );
        expect(
            report.admitted_first <= fault.bound_first(),
            format!(
                "a client that had used up its limit was admitted {} times",
                report.admitted_first
            ),
        );
        expect(
            report.admitted_later <= fault.bound_later(),
            format!("a new client was admitted {} times", report.admitted_later),
        );
        // What the machine itself is late by is not the limiter's doing.
        expect(
            report.worst <= fault.way.timeout() + SLACK + report.worst_lag,
            format!(
                "a check took {:?}, with a lag of {:?}",
                report.worst, report.worst_lag
            ),
        );
        expect(
            self.recovery <= RECOVERY,
            format!("still without Redis after {:?}", self.recovery),
        );
        expect(
            self.is_decided_by_redis,
            "Redis is not asked any more".to_owned(),
        );
        if let Err(held) = &self.is_held {
            expect(false, held.clone());
        }
        failures
    }
}

impl Fault {
    /// Of a client that used up its limit before: Redis and this process know that it did.
    fn bound_first(&self) -> u32 {
        // An hour of a day.
        let earned = if self.steps { LIMIT.div_ceil(24) } else { 0 };
        // Without Redis from the beginning it used up the limit that this process keeps.
        let kept_here = u32::from(self.way == Way::NotYet);
        LIMIT * (1 + self.forgets + kept_here) + earned
    }

    /// Of one that came with the fault: what Redis admits, and what this process does without it.
    fn bound_later(&self) -> u32 {
        LIMIT * (2 + self.forgets)
    }
}
