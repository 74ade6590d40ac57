//! One limit with all of its options.

use syn::{Expr, Type};

use super::{
    Tier,
    tiers::{self, Allowed, ONLY_TIER},
    value_of,
};
use crate::{
    errors::Errors,
    options::{Given, Options},
    parse::Name,
    value::{self, Algorithm, Cost, Header, Key, Number, OnStoreError, Time},
};

/// A limit that is free of mistakes as far as literals can tell.
pub(crate) struct OwnLimit {
    pub(crate) name: Option<Expr>,
    pub(crate) algorithm: Algorithm,
    /// At least one.
    pub(crate) tiers: Vec<Tier>,
    /// The name of one of the tiers.
    pub(crate) default_tier: Option<String>,
    pub(crate) tier_header: Option<Header>,
    pub(crate) identity: Option<Type>,
    pub(crate) key: Option<Key>,
    pub(crate) cost: Option<Cost>,
    pub(crate) exempt: Option<Expr>,
    pub(crate) refund_if: Option<Expr>,
    pub(crate) wait: Option<Time>,
    pub(crate) shadow: bool,
    pub(crate) lease: Option<Name>,
    pub(crate) strict: bool,
    pub(crate) on_store_error: Option<OnStoreError>,
    pub(crate) on_limited: Option<Expr>,
}

/// The limit that the options describe. There may be none where one of them is wrong, which has been
/// said, and there is none where nothing is limited, which has not.
pub(super) fn own_limit(mut options: Options, errors: &mut Errors) -> Option<OwnLimit> {
    let name = options.take("name", errors, value::policy_name);
    let algorithm = options.take("algo", errors, value::algorithm);
    let cost = options.take("cost", errors, value::cost);
    let exempt = options.take("exempt", errors, value::function);
    let refund_if = options.take("refund_if", errors, value::function);
    let wait = options.take("wait", errors, value::wait);
    let shadow = options.take_flag("shadow", errors);
    let lease = options.take_flag("lease", errors);
    let strict = options.take_flag("strict", errors);
    let on_store_error = options.take("on_store_error", errors, value::on_store_error);
    let on_limited = options.take("on_limited", errors, value::function);
    let identity = options.take_type("identity", errors);
    let key = options.take("key", errors, value::key);
    let tier_header = options.take("tier_header", errors, value::header);

    // What is wrong has been said already; it is not said again that it does not fit the rest.
    let algorithm = match algorithm {
        Some(given) => given.value,
        None => Some(Algorithm::SlidingWindow),
    };
    if let (Some(header), Some(identity)) = (&tier_header, &identity) {
        errors.at(
            later(header, identity),
            "a caller is known by its API key or by an identity, not by both",
            "keep one of `tier_header` and `identity`",
        );
    }
    if let (Some(_), Some(wait)) = (&shadow, &wait) {
        errors.at(
            &wait.name,
            "with `shadow` nobody is turned away, so nobody waits",
            "leave one of them out",
        );
    }
    if let (Some(lease), Some(strict)) = (&lease, &strict) {
        errors.at(
            later(lease, strict),
            "requests are leased or counted one by one, not both",
            "keep one of `lease` and `strict`",
        );
    }
    let callers_are_known = tier_header.is_some() || identity.is_some();
    let Allowed {
        tiers,
        default_tier,
    } = tiers::allowed(options, algorithm, callers_are_known, errors)?;
    if algorithm == Some(Algorithm::SlidingWindow) {
        logs_are_not_too_long(&tiers, errors);
    }
    if let Some(Given {
        value: Some(Cost::Fixed(cost)),
        ..
    }) = &cost
    {
        every_tier_can_pay(cost, &tiers, algorithm, errors);
    }
    Some(OwnLimit {
        name: value_of(name),
        algorithm: algorithm?,
        tiers,
        default_tier,
        tier_header: value_of(tier_header),
        identity: value_of(identity),
        key: value_of(key),
        cost: value_of(cost),
        exempt: value_of(exempt),
        refund_if: value_of(refund_if),
        wait: value_of(wait),
        shadow: shadow.is_some(),
        lease: lease.map(|lease| lease.name),
        strict: strict.is_some(),
        on_store_error: value_of(on_store_error),
        on_limited: value_of(on_limited),
    })
}

/// The name of the one that stands later, of two that do not go together.
fn later<'a, A, B>(a: &'a Given<A>, b: &'a Given<B>) -> &'a Name {
    if a.position > b.position {
        &a.name
    } else {
        &b.name
    }
}

/// Requests that a sliding window remembers at the most: more would take over 1 MB for each client.
/// The runtime refuses them as well, where constants hide them from here.
const LONGEST_LOG: u32 = 131_072;

fn logs_are_not_too_long(tiers: &[Tier], errors: &mut Errors) {
    for quota in tiers.iter().filter_map(|tier| tier.quota.as_ref()) {
        if quota.limit.value.is_some_and(|limit| limit > LONGEST_LOG) {
            errors.at(
                &quota.limit.expr,
                format!(
                    "a sliding window remembers each request, and for more than {LONGEST_LOG} that takes over 1 MB for each client"
                ),
                "write `algo = \"token_bucket\"`, which remembers one number",
            );
        }
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
            let whom = match tier.name.text().as_str() {
                ONLY_TIER => String::new(),
                name => format!(" on the tier `{name}`"),
            };
            errors.at(
                &cost.expr,
                format!("a request that costs {value} is never admitted{whom}"),
                format!("its {what} is {capacity}: lower the cost or raise the {what}"),
            );
            return;
        }
    }
}
