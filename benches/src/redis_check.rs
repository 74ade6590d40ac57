//! A check through Redis beside a raw EVALSHA of the same script, and beside a raw INCR, which is the
//! least that counting in Redis can cost, all through the same client.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use ratelimit::{Algorithm, Quota, RedisStore, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, bucket, policy};
use redis::{AsyncConnectionConfig, Cmd, Script, aio::MultiplexedConnection};
use tokio::{runtime::Runtime, time::interval};

use crate::compare::{Contestant, Table, Unit};

const CLIENTS: u32 = 10_000;
/// How long a round lasts.
const ROUND: Duration = Duration::from_millis(700);
const PER: Duration = Duration::from_secs(3_600);
const LIMIT: u32 = 100_000;
/// How many checks come each millisecond where they are paced.
const EACH_MILLISECOND: usize = 5;

/// How the checks come, and what is measured.
#[derive(Clone, Copy)]
enum Load {
    /// So many are always under way: how many a second are answered.
    InFlight(usize),
    /// Some come each millisecond: how long 99 of 100 take at the most.
    Paced,
}

pub(crate) fn run(table: &mut Table) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
    else {
        return;
    };
    let loads = [1, 64, 256].map(Load::InFlight).into_iter();
    for load in loads.chain([Load::Paced]) {
        for algorithm in ALGORITHMS {
            compare(table, &runtime, algorithm, load);
        }
    }
}

fn compare(table: &mut Table, runtime: &Runtime, algorithm: Algorithm, load: Load) {
    let (how, unit) = match load {
        Load::InFlight(count) => (format!("{count} in flight"), Unit::PerSecond),
        Load::Paced => (
            format!("{EACH_MILLISECOND},000 a second, 99th percentile"),
            Unit::Microseconds,
        ),
    };
    let what = format!("check through Redis, {}, {how}", algorithm.name());
    // Each round on a server of its own would measure start-up; each comparison has one.
    let server = RedisServer::start();
    table.compare(
        &what,
        unit,
        vec![
            Contestant::new("raw EVALSHA", || {
                raw(runtime, &server, load, &evalsha(algorithm))
            }),
            Contestant::new("RedisStore", || ours(runtime, &server, algorithm, load)),
            Contestant::new("raw INCR", || {
                raw(runtime, &server, load, &(None, Box::new(incr)))
            }),
        ],
    );
}

fn ours(runtime: &Runtime, server: &RedisServer, algorithm: Algorithm, load: Load) -> f64 {
    runtime.block_on(async {
        let store = RedisStore::builder(server.url())
            .connections(1)
            .connect()
            .await;
        let Ok(store) = store else { return f64::NAN };
        let policy = policy("bench", algorithm, Quota::new(LIMIT, PER));
        measure(load, |n| {
            let store = store.clone();
            async move { store.check(&bucket(policy, n), 1).await.is_ok() }
        })
        .await
    })
}

/// A script to load first, and the command of a client.
type Question = (Option<Script>, Box<dyn Fn(u32) -> Cmd>);

/// The script as the store sends it, with as many bytes of key and arguments, and nothing else.
fn evalsha(algorithm: Algorithm) -> Question {
    let (source, arguments) = script(algorithm);
    let script = Script::new(&source);
    let sha1 = script.get_hash().to_owned();
    let call = move |n| {
        let mut call = redis::cmd("EVALSHA");
        let address = std::net::Ipv4Addr::from(n);
        let key = format!(
            "raw------:{{ip:{address}}}:bench:default:{}:100000/3600s",
            algorithm.name()
        );
        call.arg(&sha1).arg(1).arg(key).arg("");
        for argument in &arguments {
            call.arg(argument);
        }
        call
    };
    (Some(script), Box::new(call))
}

fn incr(n: u32) -> Cmd {
    let mut call = redis::cmd("INCR");
    call.arg(format!("incr:{{ip:{}}}", std::net::Ipv4Addr::from(n)));
    call
}

fn raw(runtime: &Runtime, server: &RedisServer, load: Load, question: &Question) -> f64 {
    let (script, call) = question;
    runtime.block_on(async {
        // The store's timeout is around each of its checks.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let Ok(client) = redis::Client::open(server.url()) else {
            return f64::NAN;
        };
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        let Ok(mut connection): Result<MultiplexedConnection, _> = connection else {
            return f64::NAN;
        };
        if let Some(script) = script
            && script.load_async(&mut connection).await.is_err()
        {
            return f64::NAN;
        }
        measure(load, |n| {
            let (call, mut connection) = (call(n), connection.clone());
            async move {
                let answer: Result<redis::Value, _> = call.query_async(&mut connection).await;
                answer.is_ok()
            }
        })
        .await
    })
}

fn script(algorithm: Algorithm) -> (String, Vec<u64>) {
    macro_rules! file {
        ($name:literal) => {
            include_str!(concat!(
                "../../ratelimit/src/store/redis/scripts/",
                $name,
                ".lua"
            ))
        };
    }
    let per = 3_600_000_000;
    let limit = u64::from(LIMIT);
    let (functions, arguments) = match algorithm {
        Algorithm::TokenBucket => (file!("token_bucket"), vec![per / limit, 0, per, 0]),
        Algorithm::SlidingWindow => (
            concat!(file!("ring"), file!("sliding_window")),
            vec![1, limit, per],
        ),
        _ => (file!("fixed_window"), vec![1, limit, per]),
    };
    let choice = format!("local algorithm = {}\n", algorithm.name());
    let source = [file!("time"), functions, &choice, file!("check")].concat();
    (source, arguments)
}

async fn measure<F: Future<Output = bool>>(load: Load, check: impl Fn(u32) -> F) -> f64 {
    match load {
        Load::InFlight(count) => per_second(count, check).await,
        Load::Paced => percentile(check).await,
    }
}

/// Clients in no order.
fn clients() -> impl Iterator<Item = u32> {
    (0_u32..).map(|n| n.wrapping_mul(2_654_435_761) % CLIENTS)
}

/// How many a second are answered with so many in flight.
async fn per_second<F>(in_flight: usize, check: impl Fn(u32) -> F) -> f64
where
    F: Future<Output = bool>,
{
    let begin = Instant::now();
    let mut answers = stream::iter(clients().map(check)).buffer_unordered(in_flight);
    let mut answered = 0_u32;
    while let Some(ok) = answers.next().await {
        if !ok {
            return f64::NAN;
        }
        answered += 1;
        if begin.elapsed() >= ROUND {
            break;
        }
    }
    f64::from(answered) / begin.elapsed().as_secs_f64()
}

/// How many microseconds 99 of 100 take at the most, where some come each millisecond.
async fn percentile<F>(check: impl Fn(u32) -> F) -> f64
where
    F: Future<Output = bool>,
{
    let begin = Instant::now();
    let ticks = stream::unfold(interval(Duration::from_millis(1)), async |mut ticks| {
        ticks.tick().await;
        (begin.elapsed() < ROUND).then_some(((), ticks))
    });
    let comes = ticks.flat_map(|()| stream::iter(0..EACH_MILLISECOND));
    let checks = comes.zip(stream::iter(clients())).map(|(_, n)| {
        let check = check(n);
        async move {
            let begin = Instant::now();
            let ok = check.await;
            if ok {
                begin.elapsed().as_secs_f64() * 1e6
            } else {
                f64::NAN
            }
        }
    });
    let mut times: Vec<f64> = checks.buffer_unordered(usize::MAX).collect().await;
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}
