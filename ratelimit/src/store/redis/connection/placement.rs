//! Which keys one script call can have: all of them on one server, those with one hash tag in a
//! cluster, or just one.
//!
//! A proxy that spreads keys over several servers mostly does not say that it does: it runs a script
//! on the server of the first key, where the other keys are empty, or refuses the call. So this is
//! tried out before the first check. A call with more keys than the verdict allows is never sent.

use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicU8, Ordering},
};

use foldhash::quality::RandomState;
use redis::{ErrorKind, Pipeline, RedisError, ServerErrorKind, Value, from_redis_value};

use super::Pool;
use crate::{
    foreign_text::Explanation,
    store::{Charge, StoreError},
};

/// Keys of different hash tags that are tried out: if they are spread over two servers at random, the
/// chance that all of them are on one is 1 in 2^63.
const TAGS: usize = 64;

/// Keys of one hash tag that are tried out.
const KEYS_OF_ONE_TAG: usize = 16;

/// Milliseconds that these keys are kept, if they are not removed before.
const PROBE_TTL: usize = 5_000;

/// Returns for each key whether it is where the script runs.
const FIND: &str = "\
local found = {}
for i = 1, #KEYS do
  found[i] = redis.call('GET', KEYS[i]) and 1 or 0
end
return found";

/// How often keys are tried out of which a server has forgotten most.
pub(super) const TRIES: usize = 3;

/// Which keys one script call can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in super::super) enum Placement {
    /// It is not known yet.
    Unknown = 0,
    /// One key: keys are spread over servers by the whole of their names.
    ByKey = 1,
    /// Keys of one hash tag, which are one client's.
    ByClient = 2,
    /// Any keys: all of them are on one server.
    OneServer = 3,
}

impl Placement {
    fn of(number: u8) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::ByKey,
            2 => Self::ByClient,
            _ => Self::OneServer,
        }
    }

    /// Returns whether checks of any clients can be decided in one call.
    pub(in super::super) fn allows_batches(self) -> bool {
        self == Self::OneServer
    }
}

/// Tries out where keys are, once.
pub(in super::super) struct PlacementProbe {
    commands: Pipeline,
    verdict: AtomicU8,
}

impl PlacementProbe {
    /// Creates a probe that uses keys with this prefix.
    pub(in super::super) fn new(prefix: &str) -> Self {
        // Of this probe alone: another process removes its own.
        let nonce = RandomState::default().hash_one(prefix);
        let of_many_tags: Vec<String> = (0..TAGS)
            .map(|n| format!("{prefix}{{probe-{nonce:x}-{n}}}:placement"))
            .collect();
        let of_one_tag: Vec<String> = (0..KEYS_OF_ONE_TAG)
            .map(|n| format!("{prefix}{{probe-{nonce:x}}}:placement-{n}"))
            .collect();
        let all: Vec<String> = [&of_many_tags[..], &of_one_tag].concat();
        let mut commands = redis::pipe();
        for key in &all {
            let set = commands.cmd("SET");
            set.arg(key).arg("").arg("PX").arg(PROBE_TTL);
        }
        for keys in [of_one_tag, of_many_tags] {
            let find = commands.cmd("EVAL").arg(FIND);
            find.arg(keys.len()).arg(keys);
        }
        for key in &all {
            commands.del(key);
        }
        Self {
            commands,
            verdict: AtomicU8::new(Placement::Unknown as u8),
        }
    }

    /// Creates a probe whose verdict is known, and which tries nothing out.
    #[cfg(feature = "cluster")]
    pub(in super::super) fn known(placement: Placement) -> Self {
        Self {
            commands: redis::pipe(),
            verdict: AtomicU8::new(placement as u8),
        }
    }

    /// Returns the verdict.
    pub(super) fn verdict(&self) -> Placement {
        Placement::of(self.verdict.load(Ordering::Relaxed))
    }

    /// Returns what has to be sent to reach a verdict.
    pub(super) fn commands(&self) -> &Pipeline {
        &self.commands
    }

    /// Reaches a verdict by the answers to the commands. Unless this `is_last`, returns false if too
    /// few keys were kept for a verdict.
    ///
    /// A key that a script did not find is on another server only if it was there to be removed
    /// afterwards. It may also have been evicted from a server that is full, or not have been written.
    pub(super) fn conclude(
        &self,
        answers: Vec<Value>,
        server: &str,
        is_last: bool,
    ) -> Result<bool, RedisError> {
        let missing = || RedisError::from((ErrorKind::Parse, "an answer is missing"));
        let mut answers = answers.into_iter().skip(TAGS + KEYS_OF_ONE_TAG);
        let mut found = || match answers.next().map(Value::extract_error) {
            Some(Ok(found)) => Ok(Some(from_redis_value::<Vec<bool>>(found)?)),
            Some(Err(error)) if is_cross_slot(&error) => Ok(None),
            Some(Err(error)) => Err(error),
            None => Err(missing()),
        };
        let (of_one_tag, of_many_tags) = (found()?, found()?);
        let removed: Vec<bool> = answers
            .map(|answer| matches!(answer, Value::Int(1)))
            .collect();
        if removed.len() != TAGS + KEYS_OF_ONE_TAG {
            return Err(missing());
        }
        let (removed_of_many, removed_of_one) = removed.split_at(TAGS);
        let seen = [
            Sightings::new(of_one_tag, removed_of_one),
            Sightings::new(of_many_tags, removed_of_many),
        ];
        if !is_last && !seen.iter().all(Sightings::are_enough) {
            return Ok(false);
        }
        let placement = match seen.map(|seen| seen.is_together()) {
            [true, true] => Placement::OneServer,
            [true, false] => Placement::ByClient,
            [false, _] => Placement::ByKey,
        };
        self.verdict.store(placement as u8, Ordering::Relaxed);
        if placement != Placement::OneServer {
            say_several_servers(server, placement);
        }
        Ok(true)
    }

    /// Notes that a call was refused which the verdict had allowed.
    pub(super) fn restrict_to(&self, placement: Placement, server: &str) {
        let before = self.verdict.fetch_min(placement as u8, Ordering::Relaxed);
        if before > placement as u8 {
            say_several_servers(server, placement);
        }
    }
}

/// What was seen of keys that were tried out.
enum Sightings {
    /// The server refused the call, as they are in different places.
    Refused,
    /// Of all `keys` some were found by the script, and others were only there to be removed.
    Seen {
        keys: usize,
        found: usize,
        elsewhere: usize,
    },
}

impl Sightings {
    fn new(found: Option<Vec<bool>>, removed: &[bool]) -> Self {
        let Some(found) = found else {
            return Self::Refused;
        };
        let is_found = found.into_iter().chain(std::iter::repeat(false));
        let elsewhere = is_found.clone().zip(removed);
        Self::Seen {
            keys: removed.len(),
            found: is_found.take(removed.len()).filter(|found| *found).count(),
            elsewhere: elsewhere
                .filter(|(found, removed)| !found && **removed)
                .count(),
        }
    }

    /// Returns whether a key elsewhere would have been seen.
    fn are_enough(&self) -> bool {
        match *self {
            Self::Refused => true,
            Self::Seen {
                keys,
                found,
                elsewhere,
            } => elsewhere > 0 || 2 * found >= keys,
        }
    }

    /// Returns whether no key was seen elsewhere.
    fn is_together(&self) -> bool {
        matches!(self, Self::Seen { elsewhere: 0, .. })
    }
}

fn say_several_servers(server: &str, placement: Placement) {
    let consequence = if placement == Placement::ByKey {
        "checks are sent one by one, and a handler with several limits is refused"
    } else {
        "checks are sent one by one, and limits of one handler need the same key"
    };
    tracing::info!("Redis at {server} is several servers behind one address: {consequence}");
}

/// Returns whether a call was refused because its keys are in different places. Redis Cluster has a
/// code for that; proxies and managed services say it in words.
pub(in super::super) fn is_cross_slot(error: &RedisError) -> bool {
    if error.kind() == ErrorKind::Server(ServerErrorKind::CrossSlot) {
        return true;
    }
    let said = error.to_string().to_ascii_lowercase();
    [
        "same slot",
        "crossslot",
        "same hash slot",
        "same node",
        "same server",
    ]
    .iter()
    .any(|words| said.contains(words))
}

impl Pool {
    /// Notes that the buckets of a check turned out not to be on one server.
    pub(in super::super) fn note_apart(&self, charges: &[Charge]) {
        let client = |charge: &Charge| charge.bucket.client();
        let is_one_client = charges
            .windows(2)
            .all(|two| client(&two[0]) == client(&two[1]));
        self.restrict_placement(if is_one_client {
            Placement::ByKey
        } else {
            Placement::ByClient
        });
    }
}

impl Placement {
    /// Checks that these buckets can be decided in one step.
    ///
    /// By the verdict, not by the keys: the buckets of different clients may happen to be on one
    /// server, but a limit that works for one address and not for the next is of no use.
    pub(in super::super) fn check(self, charges: &[Charge]) -> Result<(), StoreError> {
        let Some((first, rest)) = charges.split_first() else {
            return Ok(());
        };
        let is_apart = |other: &&Charge| match self {
            Placement::OneServer => false,
            Placement::ByClient => other.bucket.client() != first.bucket.client(),
            Placement::ByKey | Placement::Unknown => true,
        };
        let Some(other) = rest.iter().find(is_apart) else {
            return Ok(());
        };
        let first = first.bucket.policy().name();
        let other = other.bucket.policy().name();
        let problem = if self == Placement::ByClient {
            format!(
                "the policies `{first}` and `{other}` go by different clients, whose buckets are on \
                 different servers of Redis Cluster, so that no check takes from both or from none; \
                 give both the same key, or make one of them a RateLimitLayer, which is a check of \
                 its own"
            )
        } else {
            format!(
                "the buckets of the policies `{first}` and `{other}` are on different servers behind \
                 the proxy, so that no check takes from both or from none; have the proxy place keys \
                 by what is between braces (hash_tag: \"{{}}\" in twemproxy), or make one of them a \
                 RateLimitLayer, which is a check of its own"
            )
        };
        Err(StoreError::refused(Explanation(problem)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_keys_in_several_places_is_known_by_its_code_or_its_words() {
        for (refusal, is_refused) in [
            (
                "CROSSSLOT Keys in request don't hash to the same slot",
                true,
            ),
            ("ERR eval/evalsha command keys must be in same slot", true),
            ("ERR 'EVAL' command keys must in same slot", true),
            ("ERR all keys must map to the same node", true),
            ("ERR unknown command 'EVAL'", false),
            ("NOSCRIPT No matching script. Please use EVAL.", false),
        ] {
            let answer = redis::parse_redis_value(format!("-{refusal}\r\n").as_bytes());
            let error = answer.and_then(Value::extract_error);
            let error = error.expect_err("an error of the server");
            assert_eq!(is_cross_slot(&error), is_refused, "{refusal}");
        }
    }

    /// What a server answers of whose keys some are found by a script and some are there to be removed,
    /// each the first so many.
    fn answers(of_one: (usize, usize), of_many: (usize, usize)) -> Vec<Value> {
        let first = |count: usize, of: usize| (0..of).map(move |n| Value::Int((n < count).into()));
        let found = |count, of| Value::Array(first(count, of).collect());
        std::iter::repeat_n(Value::Okay, TAGS + KEYS_OF_ONE_TAG)
            .chain([found(of_one.0, KEYS_OF_ONE_TAG), found(of_many.0, TAGS)])
            .chain(first(of_many.1, TAGS))
            .chain(first(of_one.1, KEYS_OF_ONE_TAG))
            .collect()
    }

    /// The verdict, if there is one, of answers that are the last or not.
    fn verdict(of_one: (usize, usize), of_many: (usize, usize), is_last: bool) -> Placement {
        let probe = PlacementProbe::new("");
        let answers = answers(of_one, of_many);
        let is_reached = probe.conclude(answers, "redis", is_last).expect("answers");
        assert_eq!(is_reached, probe.verdict() != Placement::Unknown);
        probe.verdict()
    }

    #[test]
    fn keys_that_a_script_does_not_find_are_elsewhere_if_they_can_be_removed() {
        for is_last in [false, true] {
            assert_eq!(verdict((16, 16), (64, 64), is_last), Placement::OneServer);
            assert_eq!(verdict((16, 16), (33, 64), is_last), Placement::ByClient);
            assert_eq!(verdict((9, 16), (33, 64), is_last), Placement::ByKey);
            assert_eq!(verdict((16, 16), (20, 21), is_last), Placement::ByClient);
        }
    }

    #[test]
    fn keys_that_are_gone_say_nothing() {
        assert_eq!(verdict((10, 10), (50, 49), false), Placement::OneServer);
        for (of_one, of_many) in [((0, 0), (64, 64)), ((16, 16), (31, 31)), ((0, 0), (0, 0))] {
            assert_eq!(verdict(of_one, of_many, false), Placement::Unknown);
            assert_eq!(verdict(of_one, of_many, true), Placement::OneServer);
        }
    }

    #[test]
    fn answers_that_are_missing_are_an_error() {
        for missing in [1, KEYS_OF_ONE_TAG + TAGS, KEYS_OF_ONE_TAG + TAGS + 1] {
            let mut answers = answers((16, 16), (64, 64));
            answers.truncate(answers.len() - missing);
            let concluded = PlacementProbe::new("").conclude(answers, "redis", true);
            assert!(concluded.is_err(), "{missing}");
        }
    }
}
