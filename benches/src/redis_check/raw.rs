//! Bare commands, which decide nothing.

use std::net::Ipv4Addr;

use ratelimit::Algorithm;
use redis::{Cmd, RedisError, Script, aio::MultiplexedConnection};

use super::{LIMIT, Made, PER, arena::Arena};

/// The script as the store sends it, with as many bytes of key and arguments, and nothing else.
pub(super) fn evalsha(arena: Arena<'_>, algorithm: Algorithm) -> Made<'_> {
    let (source, arguments) = script(algorithm);
    let script = Script::new(&source);
    let sha1 = script.get_hash().to_owned();
    let connect = async || {
        let mut connection = arena.connection().await?;
        script.load_async(&mut connection).await?;
        Ok::<_, RedisError>(connection)
    };
    arena.contestant("raw EVALSHA", connect, move |connection, n| {
        let mut call = redis::cmd("EVALSHA");
        let address = Ipv4Addr::from(n);
        let key = format!(
            "raw------:{{ip:{address}}}:bench:default:{}:100000/3600s",
            algorithm.name()
        );
        call.arg(&sha1).arg(1).arg(key).arg("");
        for argument in &arguments {
            call.arg(argument);
        }
        is_answered(call, connection.clone())
    })
}

pub(super) fn incr(arena: Arena<'_>) -> Made<'_> {
    let connect = async || arena.connection().await;
    arena.contestant("raw INCR", connect, |connection, n| {
        let mut call = redis::cmd("INCR");
        call.arg(format!("incr:{{ip:{}}}", Ipv4Addr::from(n)));
        is_answered(call, connection.clone())
    })
}

async fn is_answered(call: Cmd, mut connection: MultiplexedConnection) -> bool {
    let answer: Result<redis::Value, _> = call.query_async(&mut connection).await;
    answer.is_ok()
}

fn script(algorithm: Algorithm) -> (String, Vec<u128>) {
    macro_rules! file {
        ($name:literal) => {
            include_str!(concat!(
                "../../../ratelimit/src/store/redis/scripts/",
                $name,
                ".lua"
            ))
        };
    }
    let per = PER.as_micros();
    let limit = u128::from(LIMIT);
    let (functions, arguments) = match algorithm {
        Algorithm::TokenBucket => (file!("token_bucket"), vec![per / limit, 0, per, 0]),
        Algorithm::SlidingWindow => (
            concat!(file!("long_log"), file!("log"), file!("sliding_window")),
            vec![1, limit, per, 0],
        ),
        _ => (file!("fixed_window"), vec![1, limit, per, 0]),
    };
    let choice = format!(
        "local look, take = look_at_{0}, take_from_{0}\n",
        algorithm.name()
    );
    let parts = [
        file!("time"),
        functions,
        file!("rule"),
        &choice,
        file!("check"),
    ];
    let source = parts.concat();
    (source, arguments)
}
