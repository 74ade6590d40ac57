//! A check through Redis beside a raw EVALSHA of the same script through the same client.

use std::time::{Duration, Instant};

use ratelimit::{Algorithm, Quota, RedisStore, Store};
use ratelimit_tests::{ALGORITHMS, RedisServer, bucket, policy};
use redis::{AsyncConnectionConfig, Script, aio::MultiplexedConnection};
use tokio::runtime::Runtime;

use crate::compare::{Contestant, Table, Unit};

const CLIENTS: u32 = 10_000;
/// How long a round lasts.
const ROUND: Duration = Duration::from_millis(700);
const PER: Duration = Duration::from_secs(3_600);
const LIMIT: u32 = 100_000;

pub(crate) fn run(table: &mut Table) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
    else {
        return;
    };
    for algorithm in ALGORITHMS {
        for in_flight in [1, 64, 256] {
            // Each round on a server of its own would measure start-up; each pair has one.
            let server = RedisServer::start();
            let what = format!(
                "check through Redis, {}, {in_flight} in flight",
                algorithm.name()
            );
            table.compare(
                &what,
                Unit::PerSecond,
                vec![
                    Contestant::new("raw EVALSHA", || {
                        raw(&runtime, &server, algorithm, in_flight)
                    }),
                    Contestant::new("RedisStore", || {
                        ours(&runtime, &server, algorithm, in_flight)
                    }),
                ],
            );
        }
    }
}

fn ours(runtime: &Runtime, server: &RedisServer, algorithm: Algorithm, in_flight: u32) -> f64 {
    runtime.block_on(async {
        let store = RedisStore::builder(server.url())
            .connections(1)
            .connect()
            .await;
        let Ok(store) = store else { return f64::NAN };
        let policy = policy("bench", algorithm, Quota::new(LIMIT, PER));
        per_second(in_flight, |n| {
            let store = store.clone();
            async move { store.check(&bucket(policy, n), 1).await.is_ok() }
        })
        .await
    })
}

/// The script as the store sends it, with as many bytes of key and arguments, and nothing else.
fn raw(runtime: &Runtime, server: &RedisServer, algorithm: Algorithm, in_flight: u32) -> f64 {
    let (source, arguments) = script(algorithm);
    let script = Script::new(&source);
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
        if script.load_async(&mut connection).await.is_err() {
            return f64::NAN;
        }
        let sha1 = script.get_hash().to_owned();
        per_second(in_flight, |n| {
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
            let mut connection = connection.clone();
            async move { call.query_async::<Vec<u64>>(&mut connection).await.is_ok() }
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

/// How many a second are answered with so many in flight.
async fn per_second<F>(in_flight: u32, check: impl Fn(u32) -> F) -> f64
where
    F: Future<Output = bool>,
{
    use futures_util::{StreamExt, stream};

    let begin = Instant::now();
    let clients = (0_u32..).map(|n| n.wrapping_mul(2_654_435_761) % CLIENTS);
    let mut answers = stream::iter(clients.map(check)).buffer_unordered(in_flight as usize);
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
