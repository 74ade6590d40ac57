//! How much is allowed: one limit for everybody, or one for each tier.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Expr, ExprPath, Lit, LitStr};

use super::{span_of, value_of};
use crate::{
    errors::Errors,
    options::{Given, Options, TIER_OPTIONS, WELL_KNOWN_TIERS, example, is_option, list, similar},
    parse::{self, Item, Name, Value},
    value::{self, Algorithm, Number, Time},
};

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
pub(super) const ONLY_TIER: &str = "default";

/// The tier of callers without one, where no other is named.
const DEFAULT_TIER: &str = "free";

/// Callers who are allowed this in a minute.
const DEFAULT_PER: std::time::Duration = std::time::Duration::from_secs(60);

/// How much is allowed to whom.
pub(super) struct Allowed {
    /// At least one.
    pub(super) tiers: Vec<Tier>,
    /// The name of one of the tiers.
    pub(super) default_tier: Option<String>,
}

/// What `limit`, the tiers, `default_tier`, `per` and `burst` come to; `None` where that is nothing.
pub(super) fn allowed(
    mut options: Options,
    algorithm: Option<Algorithm>,
    callers_are_known: bool,
    errors: &mut Errors,
) -> Option<Allowed> {
    let per = options.take("per", errors, value::window);
    let burst = options.take("burst", errors, value::count);
    let default_tier = options.take("default_tier", errors, value::tier_name);
    let limit = options.take("limit", errors, value::count);
    let unordered = options.take_flag("unordered", errors);
    if let Some(burst) = &burst
        && errors.is_empty()
    {
        burst_needs_a_token_bucket(&burst.name, algorithm, errors);
    }
    let defaults = Defaults {
        per: value_of(per).unwrap_or(Time::Literal(DEFAULT_PER, Span::call_site())),
        burst: value_of(burst),
    };
    let tiers = tiers(options, &defaults, algorithm, errors);

    // Where something could not be read, it is not said as well that it is missing.
    if errors.is_empty() {
        who_is_allowed_what(
            limit.as_ref(),
            &tiers,
            default_tier.as_ref(),
            unordered.as_ref(),
            callers_are_known,
            errors,
        );
    }

    let tiers: Vec<Tier> = match limit {
        Some(Given { name, value, .. }) => vec![Tier {
            name: Name::Text(LitStr::new(ONLY_TIER, span_of(&name))),
            quota: Some(defaults.quota(value?)),
        }],
        None => tiers.into_iter().filter_map(|tier| tier.value).collect(),
    };
    (!tiers.is_empty()).then(|| Allowed {
        tiers,
        default_tier: value_of(default_tier).map(|(name, _)| name),
    })
}

/// The rules between `limit`, the tiers, and what says which tier a caller is on.
fn who_is_allowed_what(
    limit: Option<&Given<Number>>,
    tiers: &[Given<Tier>],
    default_tier: Option<&Given<(String, Expr)>>,
    unordered: Option<&Given<()>>,
    callers_are_known: bool,
    errors: &mut Errors,
) {
    match (limit, tiers.first()) {
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
        // What that means is said by who knows what was to be limited.
        (None, None) => {}
        (Some(_), None) => {
            if let Some(default_tier) = default_tier {
                errors.at(
                    &default_tier.name,
                    "`default_tier` is for limits with tiers",
                    "leave it out: `limit` is one limit for everybody",
                );
            }
            if let Some(unordered) = unordered {
                errors.at(
                    &unordered.name,
                    "`unordered` is for limits with tiers",
                    "leave it out: `limit` is one limit for everybody",
                );
            }
        }
        (None, Some(tier)) => {
            if !callers_are_known {
                errors.at(
                    &tier.name,
                    "nothing says which tier a caller is on",
                    "add `tier_header = \"X-API-Key\"` or `identity = User`, or write `limit` for one limit for everybody",
                );
            }
            callers_without_a_tier_have_one(tiers, default_tier, errors);
            if unordered.is_none() {
                higher_tiers_may_do_more(tiers, errors);
            }
        }
    }
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
                let items = parse::items(tokens, &parse::TIERS, errors);
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
    let shown = name.to_token_stream().to_string();
    let quota = match value {
        // No tier is read as a type.
        Value::Type(_) => return None,
        Value::Is(expr) if value::is_unlimited(&expr) => None,
        Value::Is(expr) => {
            let mut own_errors = Errors::default();
            let limit = value::count(&shown, expr, &mut own_errors);
            if limit.is_none() && is_misplaced(&text) {
                misplaced(name, errors);
            } else {
                errors.append(own_errors);
            }
            Some(defaults.quota(limit?))
        }
        Value::None if is_misplaced(&text) => {
            misplaced(name, errors);
            return None;
        }
        Value::None => {
            errors.at(
                name,
                format!("the tier `{text}` needs a limit"),
                format!("write `{shown} = 60`, or `{shown} = unlimited`"),
            );
            return None;
        }
        Value::Group(tokens) => Some(quota(name, tokens, defaults, algorithm, errors)?),
    };
    Some(Tier {
        name: name.clone(),
        quota,
    })
}

/// What a tier has in its parentheses.
fn quota(
    name: &Name,
    tokens: TokenStream,
    defaults: &Defaults,
    algorithm: Option<Algorithm>,
    errors: &mut Errors,
) -> Option<Quota> {
    if let Some(limit) = limit_alone(&tokens) {
        let (name, shown) = (name.to_token_stream(), limit.to_token_stream());
        errors.at(
            limit,
            "what stands in a tier's parentheses has a name",
            format!("a limit alone goes without them: `{name} = {shown}`"),
        );
        return None;
    }
    if let Some((limit, per)) = value::limit_and_window(tokens.clone()) {
        let name = name.to_token_stream();
        errors.at(
            tokens,
            "what stands in a tier's parentheses has a name",
            format!("write `{name}(limit = {limit}, per = \"{per}\")`"),
        );
        return None;
    }
    // What was not understood may have been the limit.
    let mut own_errors = Errors::default();
    let items = parse::items(tokens, &parse::TIER, &mut own_errors);
    let mut options = Options::collect(items, TIER_OPTIONS, &mut own_errors);
    let limit = options.take("limit", &mut own_errors, value::count);
    let per = options.take("per", &mut own_errors, value::window);
    let burst = options.take("burst", &mut own_errors, value::count);
    if limit.is_none() && own_errors.is_empty() {
        own_errors.at(
            name,
            format!("the tier `{}` needs a limit", name.text()),
            format!("write `{}(limit = 60)`", name.to_token_stream()),
        );
    }
    if let Some(burst) = &burst {
        burst_needs_a_token_bucket(&burst.name, algorithm, &mut own_errors);
    }
    errors.append(own_errors);
    Some(Quota {
        limit: value_of(limit)?,
        per: value_of(per).unwrap_or_else(|| defaults.per.clone()),
        burst: value_of(burst).or_else(|| defaults.burst.clone()),
    })
}

/// `600`, `unlimited` or `LIMIT`, which are no names of options.
fn limit_alone(tokens: &TokenStream) -> Option<Expr> {
    let value: Expr = syn::parse2(tokens.clone()).ok()?;
    let is_limit = match &value {
        Expr::Lit(literal) => matches!(literal.lit, Lit::Int(_)),
        Expr::Path(ExprPath { path, .. }) => {
            value::is_unlimited(&value)
                || path
                    .get_ident()
                    .is_none_or(|name| !name.to_string().contains(char::is_lowercase))
        }
        _ => false,
    };
    is_limit.then_some(value)
}

/// Whether a tier of one's own has the name of an option, and with a value that no tier has is one.
fn is_misplaced(name: &str) -> bool {
    is_option(name) && !WELL_KNOWN_TIERS.contains(&name)
}

fn misplaced(name: &Name, errors: &mut Errors) {
    let text = name.text();
    errors.at(
        name,
        format!("`{text}` is an option, and in `tiers(…)` stand tiers"),
        format!(
            "write it outside of the parentheses, as in `{}`",
            example(&text)
        ),
    );
}

/// Whoever pays more may do more, or two numbers have probably been mixed up.
fn higher_tiers_may_do_more(tiers: &[Given<Tier>], errors: &mut Errors) {
    let ranked = WELL_KNOWN_TIERS.iter().filter_map(|name| {
        let given = tiers.iter().find(|tier| tier.name.text() == *name)?;
        Some((given, rate(given.value.as_ref()?)?))
    });
    let mut highest: Option<(&Given<Tier>, Rate)> = None;
    for (tier, rate) in ranked {
        if let Some((lower, lower_rate)) = &highest
            && rate.is_less_than(lower_rate)
        {
            let (higher, lower) = (tier.name.text(), lower.name.text());
            errors.at(
                &tier.name,
                format!("the tier `{higher}` may do less than the tier `{lower}`"),
                "give it a higher limit, or add `unordered` if this is what you want",
            );
        } else {
            highest = Some((tier, rate));
        }
    }
}

/// So many requests in so many microseconds; `None` for a tier without a limit.
struct Rate(Option<(u128, u128)>);

impl Rate {
    fn is_less_than(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Some((limit, per)), Some((other_limit, other_per))) => {
                limit * other_per < other_limit * per
            }
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// The rate of a tier, as far as literals tell.
fn rate(tier: &Tier) -> Option<Rate> {
    let Some(quota) = &tier.quota else {
        return Some(Rate(None));
    };
    match &quota.per {
        Time::Literal(per, _) => {
            let limit = u128::from(quota.limit.value?);
            Some(Rate(Some((limit, per.as_micros()))))
        }
        Time::Constant(_) => None,
    }
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
                "callers who are on none of these tiers have none",
                format!("add the tier `free = 60` for them, or name theirs: `default_tier = \"{first}\"`"),
            );
        }
        _ => {}
    }
}
