//! From options to a limit that makes sense: the rules that tie options to each other.

use proc_macro2::{Span, TokenStream};
use syn::{Expr, Path};

use crate::{
    errors::{Errors, message},
    options::{Given, OPTIONS, Options, TIER_OPTIONS, WELL_KNOWN_TIERS, list, similar},
    parse::{self, Item, Name, Value},
    value::{self, Algorithm, Header, Key, Number, Time},
};

/// What the attribute asks for, free of mistakes as far as literals can tell.
pub(crate) struct RateLimit {
    pub(crate) krate: Option<Path>,
    pub(crate) name: Option<Expr>,
    pub(crate) algorithm: Algorithm,
    /// At least one.
    pub(crate) tiers: Vec<Tier>,
    /// The name of one of the tiers.
    pub(crate) default_tier: Option<String>,
    pub(crate) tier_header: Option<Header>,
    pub(crate) key: Option<Key>,
    pub(crate) cost: Option<Number>,
}

pub(crate) struct Tier {
    pub(crate) name: Name,
    /// `None` without a limit.
    pub(crate) quota: Option<Quota>,
}

pub(crate) struct Quota {
    pub(crate) limit: Number,
    pub(crate) per: Time,
    pub(crate) burst: Option<Number>,
}

/// What a tier is given where it does not say otherwise.
struct Defaults {
    per: Time,
    burst: Option<Number>,
}

/// The tier of everybody, where there is `limit` instead of tiers.
const ONLY_TIER: &str = "default";

/// The tier of callers without one, where no other is named.
const DEFAULT_TIER: &str = "free";

/// Callers who are allowed this in a minute.
const DEFAULT_PER: std::time::Duration = std::time::Duration::from_secs(60);

/// The limit that the options describe. Where one of them is wrong, that has been said, and there
/// may be none.
pub(crate) fn validate(items: Vec<Item>, errors: &mut Errors) -> Option<RateLimit> {
    let mut options = Options::collect(items, OPTIONS, errors);
    let krate = options.take("crate", errors, value::path);
    let name = options.take("name", errors, value::policy_name);
    let algorithm = options.take("algo", errors, value::algorithm);
    let per = options.take("per", errors, value::time);
    let burst = options.take("burst", errors, value::count);
    let cost = options.take("cost", errors, value::count);
    let key = options.take("key", errors, value::key);
    let tier_header = options.take("tier_header", errors, value::header);
    let default_tier = options.take("default_tier", errors, value::tier_name);
    let limit = options.take("limit", errors, value::count);

    // What is wrong has been said already; it is not said again that it does not fit the rest.
    let algorithm = match algorithm {
        Some(given) => given.value,
        None => Some(Algorithm::SlidingWindow),
    };
    if let Some(burst) = &burst {
        burst_needs_a_token_bucket(&burst.name, algorithm, errors);
    }
    let defaults = Defaults {
        per: value_of(per).unwrap_or(Time::Literal(DEFAULT_PER)),
        burst: value_of(burst),
    };
    let tiers = tiers(options, &defaults, algorithm, errors);

    match (&limit, tiers.first()) {
        (Some(limit), Some(tier)) => {
            let later = if limit.position > tier.position {
                &limit.name
            } else {
                &tier.name
            };
            errors.at(
                later,
                "`limit` is one limit for everybody, and tiers are one for each class of callers",
                "keep one of the two",
            );
        }
        // Unless what should have limited it could not be read.
        (None, None) if !errors.is_empty() => {}
        (None, None) => errors.push(syn::Error::new(
            Span::call_site(),
            message(
                "this limits nothing",
                "say how much is allowed, as in `#[rate_limit(limit = 60)]` or `#[rate_limit(tier_header = \"X-API-Key\", free = 60, pro = 600)]`",
            ),
        )),
        (Some(_), None) => {
            if let Some(default_tier) = &default_tier {
                errors.at(
                    &default_tier.name,
                    "`default_tier` is for limits with tiers",
                    "leave it out: `limit` is one limit for everybody",
                );
            }
        }
        (None, Some(tier)) => {
            if tier_header.is_none() {
                errors.at(
                    &tier.name,
                    "nothing says which tier a caller is on",
                    "add `tier_header = \"X-API-Key\"`, or write `limit` for one limit for everybody",
                );
            }
            callers_without_a_tier_have_one(&tiers, default_tier.as_ref(), errors);
        }
    }

    let tiers = match limit {
        Some(Given { name, value, .. }) => vec![Tier {
            name: Name::Text(syn::LitStr::new(ONLY_TIER, span_of(&name))),
            quota: Some(defaults.quota(value?)),
        }],
        None => tiers.into_iter().filter_map(|tier| tier.value).collect(),
    };
    if let Some(cost) = cost.as_ref().and_then(|cost| cost.value.as_ref()) {
        every_tier_can_pay(cost, &tiers, algorithm, errors);
    }
    Some(RateLimit {
        krate: value_of(krate),
        name: value_of(name),
        algorithm: algorithm?,
        tiers,
        default_tier: value_of(default_tier).map(|(name, _)| name),
        tier_header: value_of(tier_header),
        key: value_of(key),
        cost: value_of(cost),
    })
}

impl Defaults {
    fn quota(&self, limit: Number) -> Quota {
        Quota {
            limit,
            per: self.per.clone(),
            burst: self.burst.clone(),
        }
    }
}

fn value_of<T>(given: Option<Given<T>>) -> Option<T> {
    given.and_then(|given| given.value)
}

fn span_of(name: &Name) -> Span {
    match name {
        Name::Word(word) => word.span(),
        Name::Text(text) => text.span(),
    }
}

/// All tiers in the order they were written, those that are wrong among them.
fn tiers(
    mut options: Options,
    defaults: &Defaults,
    algorithm: Option<Algorithm>,
    errors: &mut Errors,
) -> Vec<Given<Tier>> {
    let mut given: Vec<Given<Value>> = WELL_KNOWN_TIERS
        .iter()
        .filter_map(|name| options.take_any(name))
        .collect();
    if let Some(group) = options.take_any("tiers") {
        match group.value {
            Some(Value::Group(tokens)) if !tokens.is_empty() => {
                let items = parse::items(tokens, errors);
                given.extend(items.into_iter().map(|Item { name, value }| Given {
                    name,
                    position: group.position,
                    value: Some(value),
                }));
            }
            _ => errors.at(
                &group.name,
                "`tiers` names tiers of your own",
                "write `tiers(gold = 1200, \"my-tier\" = 5)`",
            ),
        }
    }
    // Stable, so that the tiers within a group stay in their order.
    given.sort_by_key(|tier| tier.position);

    let mut names = Vec::new();
    let mut tiers = Vec::new();
    for Given {
        name,
        position,
        value,
    } in given
    {
        let text = name.text();
        if text.is_empty() || text.contains(char::is_control) {
            errors.at(
                &name,
                "a tier's name must be readable: it is shown to clients and in Redis",
                "name it as in `tiers(gold = 1200)`",
            );
        } else if names.contains(&text) {
            errors.at(
                &name,
                format!("the tier `{text}` is given twice"),
                "keep one of them",
            );
        }
        names.push(text);
        let value = value.and_then(|value| tier(&name, value, defaults, algorithm, errors));
        tiers.push(Given {
            name,
            position,
            value,
        });
    }
    let is_unlimited = |tier: &Given<Tier>| matches!(&tier.value, Some(Tier { quota: None, .. }));
    if let Some(first) = tiers.first()
        && tiers.iter().all(is_unlimited)
    {
        errors.at(
            &first.name,
            "no tier has a limit, so nothing is limited",
            "give one of them a number, as in `free = 60`, or leave the attribute out",
        );
    }
    tiers
}

/// `60`, `unlimited`, or `(limit = 60, per = "1s", burst = 100)`.
fn tier(
    name: &Name,
    value: Value,
    defaults: &Defaults,
    algorithm: Option<Algorithm>,
    errors: &mut Errors,
) -> Option<Tier> {
    let text = name.text();
    let quota = match value {
        Value::Is(expr) if value::is_unlimited(&expr) => None,
        Value::Is(expr) => Some(defaults.quota(value::count(&text, expr, errors)?)),
        Value::None => {
            errors.at(
                name,
                format!("the tier `{text}` needs a limit"),
                format!("write `{text} = 60`, or `{text} = unlimited`"),
            );
            return None;
        }
        Value::Group(tokens) => {
            let items = parse::items(tokens, errors);
            let mut options = Options::collect(items, TIER_OPTIONS, errors);
            let limit = options.take("limit", errors, value::count);
            let per = options.take("per", errors, value::time);
            let burst = options.take("burst", errors, value::count);
            if let Some(burst) = &burst {
                burst_needs_a_token_bucket(&burst.name, algorithm, errors);
            }
            if limit.is_none() {
                errors.at(
                    name,
                    format!("the tier `{text}` needs a limit"),
                    format!("write `{text}(limit = 60)`"),
                );
            }
            Some(Quota {
                limit: value_of(limit)?,
                per: value_of(per).unwrap_or_else(|| defaults.per.clone()),
                burst: value_of(burst).or_else(|| defaults.burst.clone()),
            })
        }
    };
    Some(Tier {
        name: name.clone(),
        quota,
    })
}

fn burst_needs_a_token_bucket(burst: &Name, algorithm: Option<Algorithm>, errors: &mut Errors) {
    if algorithm.is_some_and(|algorithm| algorithm != Algorithm::TokenBucket) {
        errors.at(
            burst,
            "only the token bucket has a burst",
            "add `algo = \"token_bucket\"`, or leave `burst` out",
        );
    }
}

fn callers_without_a_tier_have_one(
    tiers: &[Given<Tier>],
    default_tier: Option<&Given<(String, Expr)>>,
    errors: &mut Errors,
) {
    let names: Vec<String> = tiers.iter().map(|tier| tier.name.text()).collect();
    let names = || names.iter().map(String::as_str);
    match default_tier {
        Some(Given {
            value: Some((name, expr)),
            ..
        }) if names().all(|known| known != name) => errors.at(
            expr,
            format!("there is no tier `{name}` here"),
            match similar(name, names()) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => format!("the tiers are {}", list(names())),
            },
        ),
        None if names().all(|known| known != DEFAULT_TIER) => {
            let first = names().next().unwrap_or(DEFAULT_TIER);
            errors.at(
                tiers.first().map(|tier| &tier.name),
                "callers whose API key nobody knows have no tier",
                format!("add the tier `free = 60` for them, or name theirs: `default_tier = \"{first}\"`"),
            );
        }
        _ => {}
    }
}

fn every_tier_can_pay(
    cost: &Number,
    tiers: &[Tier],
    algorithm: Option<Algorithm>,
    errors: &mut Errors,
) {
    let Some(value) = cost.value else { return };
    for tier in tiers {
        let Some(quota) = &tier.quota else { continue };
        let (what, capacity) = match &quota.burst {
            Some(burst) if algorithm == Some(Algorithm::TokenBucket) => ("burst", burst.value),
            _ => ("limit", quota.limit.value),
        };
        if let Some(capacity) = capacity
            && value > capacity
        {
            let name = tier.name.text();
            errors.at(
                &cost.expr,
                format!("a request that costs {value} is never admitted on the tier `{name}`"),
                format!("its {what} is {capacity}: lower the cost or raise the {what}"),
            );
            return;
        }
    }
}

/// A name as the text that the policy is given.
impl Name {
    pub(crate) fn to_literal(&self) -> TokenStream {
        quote::ToTokens::to_token_stream(&syn::LitStr::new(&self.text(), span_of(self)))
    }
}
