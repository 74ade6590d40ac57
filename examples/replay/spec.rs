//! A policy as a text: the words of the attribute, read when the program runs.

use std::{str::FromStr, time::Duration};

use ratelimit::{Algorithm, Key, Policy, Quota, Tier};

/// A policy to try. Its name is the text that it was read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) policy: &'static Policy,
    /// How many requests each request counts as.
    pub(crate) cost: u32,
}

/// The options, each with an example for the errors.
const OPTIONS: [(&str, &str); 11] = [
    ("limit", "limit=60"),
    ("free", "free=60"),
    ("pro", "pro=600"),
    ("enterprise", "enterprise=6000"),
    ("internal", "internal=unlimited"),
    ("default_tier", "default_tier=pro"),
    ("per", "per=1m"),
    ("algo", "algo=token_bucket"),
    ("burst", "burst=20"),
    ("cost", "cost=5"),
    ("key", "key=ip"),
];

const TIERS: [&str; 4] = ["free", "pro", "enterprise", "internal"];

/// The attribute's other options. They go by what is in no log, or change nothing about who is over
/// the limit.
const OF_THE_ATTRIBUTE_ALONE: [&str; 15] = [
    "tiers",
    "unordered",
    "tier_header",
    "identity",
    "exempt",
    "refund_if",
    "wait",
    "shadow",
    "lease",
    "strict",
    "on_store_error",
    "on_limited",
    "policy",
    "name",
    "crate",
];

const ALGORITHMS: [Algorithm; 3] = [
    Algorithm::TokenBucket,
    Algorithm::SlidingWindow,
    Algorithm::FixedWindow,
];

const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

const MINUTE: Duration = Duration::from_secs(60);

/// Requests that a sliding window remembers of a client at the most.
const LONGEST_LOG: u32 = 131_072;

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let options = Options::read(text)?;
        let algorithm = options.get("algo", algorithm)?;
        let algorithm = algorithm.unwrap_or(Algorithm::SlidingWindow);
        let per = options.get("per", window)?.unwrap_or(MINUTE);
        let burst = options.get("burst", count)?;
        let cost = options.get("cost", count)?;
        let key = options.get("key", key)?.unwrap_or(Key::Ip);

        if burst.is_some() && algorithm != Algorithm::TokenBucket {
            return Err(
                "only the token bucket has a burst: add `algo=token_bucket`, or leave `burst` out"
                    .to_owned(),
            );
        }
        let tiers = tiers(&options, per, burst)?;
        for quota in tiers.iter().filter_map(Tier::quota) {
            can_be_kept(algorithm, &quota, cost)?;
        }
        let default_tier = default_tier(&options, &tiers)?;

        // A policy lives as long as the program, and there are only a few.
        let policy = Policy::new(text.to_owned().leak(), algorithm, tiers.leak())
            .with_default_tier(&default_tier)
            .with_key(key);
        Ok(Self {
            policy: Box::leak(Box::new(policy)),
            cost: cost.unwrap_or(1),
        })
    }
}

/// `name=value`, each name at most once, and all of them known.
struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let mut given: Vec<(&str, &str)> = Vec::new();
        for option in text.split(',') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            // With blanks and quotes it can be copied from an attribute.
            let (name, value) = (name.trim(), value.trim().trim_matches('"'));
            let Some((_, example)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
                return Err(unknown(name));
            };
            if given.iter().any(|(other, _)| *other == name) {
                return Err(format!("`{name}` is given twice: keep one of them"));
            }
            if value.is_empty() {
                return Err(format!("`{name}` needs a value: write `{example}`"));
            }
            given.push((name, value));
        }
        Ok(Self(given))
    }

    fn get<T>(
        &self,
        name: &str,
        read: fn(&str, &str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        let given = self.0.iter().find(|(given, _)| *given == name);
        given.map(|(name, value)| read(name, value)).transpose()
    }
}

fn unknown(name: &str) -> String {
    let names = || OPTIONS.iter().map(|(name, _)| *name);
    let list = list(names());
    if name.is_empty() {
        return format!(
            "an option is missing: write as in `limit=60,per=1m`; the options are {list}"
        );
    }
    if OF_THE_ATTRIBUTE_ALONE.contains(&name) {
        return format!(
            "`{name}` is an option of the attribute that a log says nothing about: leave it out; the options here are {list}"
        );
    }
    match similar(name, names()) {
        Some(meant) => {
            format!("unknown option `{name}`: did you mean `{meant}`? The options are {list}")
        }
        None => format!("unknown option `{name}`: the options are {list}"),
    }
}

/// One quota for everybody, or one for each tier, in the order they are written.
fn tiers(options: &Options<'_>, per: Duration, burst: Option<u32>) -> Result<Vec<Tier>, String> {
    let quota = |limit: u32| {
        let quota = Quota::try_new(limit, per);
        let quota = match burst {
            Some(burst) => quota.and_then(|quota| quota.try_with_burst(burst)),
            None => quota,
        };
        quota.map_err(|error| error.to_string())
    };
    let limit = options.get("limit", count)?;
    let mut tiers = Vec::new();
    for (name, value) in &options.0 {
        let Some(name) = TIERS.into_iter().find(|tier| tier == name) else {
            continue;
        };
        tiers.push(match *value {
            "unlimited" => Tier::unlimited(name),
            value => Tier::new(name, quota(count(name, value)?)?),
        });
    }
    match (limit, tiers.is_empty()) {
        (Some(limit), true) => Ok(vec![Tier::new("default", quota(limit)?)]),
        (Some(_), false) => Err(
            "`limit` is one limit for everybody, and tiers are one for each class of callers: keep one of the two"
                .to_owned(),
        ),
        (None, true) => Err(
            "it says no limit: add `limit=60` for everybody, or tiers as in `free=60,pro=600`"
                .to_owned(),
        ),
        (None, false) if tiers.iter().all(|tier| tier.quota().is_none()) => Err(
            "no tier has a limit, so nothing is limited: give one of them a number, as in `free=60`"
                .to_owned(),
        ),
        (None, false) => Ok(tiers),
    }
}

fn can_be_kept(algorithm: Algorithm, quota: &Quota, cost: Option<u32>) -> Result<(), String> {
    if algorithm == Algorithm::SlidingWindow && quota.limit() > LONGEST_LOG {
        return Err(format!(
            "a sliding window remembers each request, and at most {LONGEST_LOG} of a client: write `algo=token_bucket`, which remembers one number"
        ));
    }
    let capacity = algorithm.capacity(quota);
    match cost {
        Some(cost) if cost > capacity => Err(format!(
            "`cost={cost}` is more than a tier can ever admit: it can be at most {capacity} here"
        )),
        _ => Ok(()),
    }
}

/// The name of the tier that requests without one are on.
fn default_tier(options: &Options<'_>, tiers: &[Tier]) -> Result<String, String> {
    let names = || tiers.iter().map(Tier::name);
    let given = options.get("default_tier", |_, name| Ok(name.to_owned()))?;
    match (given, tiers) {
        (Some(_), [only]) if only.name() == "default" => {
            Err("`default_tier` is for limits with tiers: leave it out".to_owned())
        }
        (Some(name), _) if names().any(|tier| tier == name) => Ok(name),
        (Some(name), _) => Err(format!(
            "there is no tier `{name}` here: the tiers are {}",
            list(names())
        )),
        (None, [only]) if only.name() == "default" => Ok(only.name().to_owned()),
        (None, _) if names().any(|tier| tier == "free") => Ok("free".to_owned()),
        (None, _) => Err(format!(
            "callers who are on none of these tiers have none: add `free=60` for them, or name theirs as in `default_tier={}`",
            names().next().unwrap_or("free")
        )),
    }
}

fn algorithm(_: &str, value: &str) -> Result<Algorithm, String> {
    let names = || ALGORITHMS.iter().map(|known| known.name());
    let known = ALGORITHMS.into_iter().find(|known| known.name() == value);
    known.ok_or_else(|| match similar(value, names()) {
        Some(meant) => format!(
            "unknown algorithm `{value}`: did you mean `{meant}`? The algorithms are {}",
            list(names())
        ),
        None => format!(
            "unknown algorithm `{value}`: the algorithms are {}",
            list(names())
        ),
    })
}

fn key(_: &str, value: &str) -> Result<Key, String> {
    match value {
        "ip" => Ok(Key::Ip),
        "global" => Ok(Key::Global),
        _ => Err(format!(
            "`key={value}` is not in a log: write `key=ip` for a bucket for each address, or `key=global` for one for everybody"
        )),
    }
}

/// At least one request: `60` or `10_000`.
fn count(name: &str, value: &str) -> Result<u32, String> {
    let digits = value.replace('_', "");
    match digits.parse() {
        Ok(0) => Err(format!(
            "`{name}={value}` must be at least 1: a limit of nothing needs no replay"
        )),
        Ok(number) => Ok(number),
        Err(_) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Err(format!(
                "`{name}={value}` is too large: it can be at most {}",
                u32::MAX
            ))
        }
        Err(_) => Err(format!(
            "`{name}={value}` is not a number of requests: write it as in `{name}=60`"
        )),
    }
}

/// `30s`, `500ms` or `2m30s`.
fn window(name: &str, value: &str) -> Result<Duration, String> {
    let not_a_time = || {
        format!(
            "`{name}={value}` is not a length of time: write it as in `{name}=1m`, with the units {}",
            list(UNITS.iter().map(|(unit, _)| *unit))
        )
    };
    let mut rest = value;
    let mut micros = 0_u64;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, char::is_alphabetic);
        let number: u64 = digits.parse().map_err(|_| not_a_time())?;
        let (_, size) = UNITS
            .iter()
            .find(|(known, _)| *known == unit)
            .ok_or_else(not_a_time)?;
        micros = micros.saturating_add(number.saturating_mul(*size));
        rest = after;
    }
    Ok(Duration::from_micros(micros))
}

/// The characters that are so, and those from the first that is not.
fn split(text: &str, is_so: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_so(c)).unwrap_or(text.len()))
}

/// The candidate that a misspelt word most resembles.
fn similar<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lowercase = word.to_lowercase().replace('-', "_");
    candidates
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lowercase, candidate);
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b` and `c` ``
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        text.parse().expect("a policy")
    }

    fn error(text: &str) -> String {
        text.parse::<Spec>().expect_err("no policy")
    }

    #[test]
    fn what_is_not_said_is_as_in_the_attribute() {
        let spec = spec("limit=60");
        assert_eq!(spec.policy.name(), "limit=60");
        assert_eq!(spec.policy.algorithm(), Algorithm::SlidingWindow);
        assert_eq!(
            spec.policy.default_tier().quota(),
            Some(Quota::per_minute(60))
        );
        assert!(matches!(spec.policy.key(), Key::Ip));
        assert_eq!(spec.cost, 1);
    }

    #[test]
    fn every_option_is_read() {
        let text = r#"free = 10_000, pro=20000, internal = unlimited, default_tier=pro, per = "2m30s", algo = "token_bucket", burst=20, cost=5, key=global"#;
        let Spec { policy, cost } = spec(text);
        assert_eq!(policy.algorithm(), Algorithm::TokenBucket);
        let quota = |limit| Quota::new(limit, Duration::from_secs(150)).with_burst(20);
        assert_eq!(policy.tier("free").quota(), Some(quota(10_000)));
        assert_eq!(policy.default_tier().quota(), Some(quota(20_000)));
        assert_eq!(policy.tier("internal").quota(), None);
        assert!(matches!(policy.key(), Key::Global));
        assert_eq!(cost, 5);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        let cases = [
            (
                "free=60,brust=20",
                "unknown option `brust`: did you mean `burst`?",
            ),
            ("limt=60", "did you mean `limit`?"),
            (
                "limit=60,colour=red",
                "unknown option `colour`: the options are `limit`, `free`",
            ),
            ("limit=60,", "an option is missing"),
            (
                "limit=60,wait=1s",
                "`wait` is an option of the attribute that a log says nothing about",
            ),
            (
                "limit=60,lease",
                "`lease` is an option of the attribute that a log says nothing about",
            ),
            ("limit=60,limit=70", "`limit` is given twice"),
            ("limit", "`limit` needs a value: write `limit=60`"),
            ("per=1m", "it says no limit: add `limit=60`"),
            ("limit=60,free=60", "keep one of the two"),
            ("internal=unlimited", "no tier has a limit"),
            (
                "pro=60",
                "add `free=60` for them, or name theirs as in `default_tier=pro`",
            ),
            (
                "free=60,default_tier=pro",
                "there is no tier `pro` here: the tiers are `free`",
            ),
            (
                "limit=60,default_tier=free",
                "`default_tier` is for limits with tiers",
            ),
            ("limit=60,burst=20", "add `algo=token_bucket`"),
            ("limit=0", "`limit=0` must be at least 1"),
            ("limit=5000000000", "it can be at most 4294967295"),
            ("limit=many", "`limit=many` is not a number of requests"),
            ("limit=-1", "`limit=-1` is not a number of requests"),
            ("limit=60,algo=token_bukcet", "did you mean `token_bucket`?"),
            (
                "limit=60,algo=magic",
                "the algorithms are `token_bucket`, `sliding_window` and `fixed_window`",
            ),
            ("limit=60,key=caller", "`key=caller` is not in a log"),
            (
                "limit=60,per=60",
                "`per=60` is not a length of time: write it as in `per=1m`",
            ),
            ("limit=60,per=0s", "a window must be longer than zero"),
            ("limit=60,per=367d", "a window can be at most 366 days"),
            ("limit=60,per=1us", "at most one request per microsecond"),
            (
                "limit=131073",
                "at most 131072 of a client: write `algo=token_bucket`",
            ),
            ("limit=60,cost=61", "it can be at most 60 here"),
        ];
        for (text, expected) in cases {
            let error = error(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
