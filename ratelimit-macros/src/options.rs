//! Which options there are: unknown ones and duplicates are turned away here.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, Type};

use crate::{
    errors::Errors,
    parse::{Item, Name, Value},
    value::{ALGORITHMS, KEYS, limit_and_window, rate, unquoted},
};

/// An option's name, and an example of it for the errors.
pub(crate) type Known = (&'static str, &'static str);

/// The options of the attribute.
pub(crate) const OPTIONS: &[Known] = &[
    ("limit", "limit = 60"),
    ("free", "free = 60"),
    ("pro", "pro = 600"),
    ("enterprise", "enterprise = 6000"),
    ("internal", "internal = unlimited"),
    ("tiers", "tiers(gold = 1200)"),
    ("default_tier", "default_tier = \"free\""),
    ("unordered", "unordered"),
    ("tier_header", "tier_header = \"X-API-Key\""),
    ("identity", "identity = User"),
    ("key", "key = ip"),
    ("per", "per = \"1m\""),
    ("algo", "algo = \"token_bucket\""),
    ("burst", "burst = 20"),
    ("cost", "cost = 5"),
    ("exempt", "exempt = is_internal"),
    ("refund_if", "refund_if = has_logged_in"),
    ("wait", "wait = \"500ms\""),
    ("shadow", "shadow"),
    ("lease", "lease"),
    ("strict", "strict"),
    ("on_store_error", "on_store_error = \"deny\""),
    ("on_limited", "on_limited = too_many"),
    ("policy", "policy = Search"),
    ("name", "name = \"search\""),
    ("crate", "crate = ::ratelimit"),
];

/// The tiers that are options by themselves.
pub(crate) const WELL_KNOWN_TIERS: [&str; 4] = ["free", "pro", "enterprise", "internal"];

/// The options of a tier: `pro(limit = 600, per = "1s")`.
pub(crate) const TIER_OPTIONS: &[Known] = &[
    ("limit", "limit = 600"),
    ("per", "per = \"1s\""),
    ("burst", "burst = 100"),
];

/// What other libraries call our options.
const BORROWED: &[(&str, &str)] = &[
    ("algorithm", "algo"),
    ("strategy", "algo"),
    ("capacity", "burst"),
    ("burst_size", "burst"),
    ("rate", "limit"),
    ("requests", "limit"),
    ("max", "limit"),
    ("quota", "limit"),
    ("duration", "per"),
    ("interval", "per"),
    ("period", "per"),
    ("window", "per"),
    ("weight", "cost"),
    ("header", "tier_header"),
    ("key_by", "key"),
    ("by", "key"),
    ("skip", "exempt"),
    ("dry_run", "shadow"),
    ("hybrid", "lease"),
    ("max_wait", "wait"),
    ("on_error", "on_store_error"),
    ("handler", "on_limited"),
    ("message", "on_limited"),
    ("error_message", "on_limited"),
    ("status", "on_limited"),
];

/// What other libraries call a limit together with its window.
pub(crate) const RATES: &[(&str, &str)] = &[
    ("per_second", "1s"),
    ("rps", "1s"),
    ("per_minute", "1m"),
    ("rpm", "1m"),
    ("per_hour", "1h"),
    ("per_day", "1d"),
];

/// An option that was given.
pub(crate) struct Given<T> {
    pub(crate) name: Name,
    /// Its place among the options, to tell which of two came later.
    pub(crate) position: usize,
    /// `None` where the value is wrong, which has been said.
    pub(crate) value: Option<T>,
}

/// The options that are known, each at most once.
pub(crate) struct Options {
    known: &'static [Known],
    given: Vec<Given<Value>>,
}

impl Options {
    pub(crate) fn collect(items: Vec<Item>, known: &'static [Known], errors: &mut Errors) -> Self {
        let mut options = Self {
            known,
            given: Vec::new(),
        };
        for (position, Item { name, value }) in items.into_iter().enumerate() {
            let text = name.text();
            if let Name::Text(quoted) = &name {
                errors.at(
                    quoted,
                    "an option's name has no quotes",
                    options.mend_quoted(&text, &value),
                );
            } else if known.iter().all(|(known, _)| *known != text) {
                let help = options.mend(&text, &value);
                errors.at(&name, format!("unknown option `{text}`"), help);
            } else if options.given.iter().any(|given| given.name.text() == text) {
                errors.at(
                    &name,
                    format!("`{text}` is given twice"),
                    "keep one of them",
                );
            } else {
                options.given.push(Given {
                    name,
                    position,
                    value: Some(value),
                });
            }
        }
        options
    }

    /// Takes an option out and reads its value, which must be `name = value`.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        errors: &mut Errors,
        read: impl FnOnce(&str, Expr, &mut Errors) -> Option<T>,
    ) -> Option<Given<T>> {
        let given = self.take_any(name)?;
        Some(match given.value {
            Some(Value::Is(value)) => Given {
                name: given.name,
                position: given.position,
                value: read(name, value, errors),
            },
            _ => self.misses_its_value(name, given, errors),
        })
    }

    /// Takes an option out whose value is a type.
    pub(crate) fn take_type(&mut self, name: &str, errors: &mut Errors) -> Option<Given<Type>> {
        let given = self.take_any(name)?;
        Some(match given.value {
            Some(Value::Type(ty)) => Given {
                name: given.name,
                position: given.position,
                value: Some(*ty),
            },
            _ => self.misses_its_value(name, given, errors),
        })
    }

    /// A bare word, if it is given.
    pub(crate) fn take_flag(&mut self, name: &str, errors: &mut Errors) -> Option<Given<()>> {
        let given = self.take_any(name)?;
        if !matches!(given.value, Some(Value::None)) {
            errors.at(
                &given.name,
                format!("`{name}` has no value"),
                format!("write `{name}`, or leave it out"),
            );
        }
        Some(Given {
            name: given.name,
            position: given.position,
            value: Some(()),
        })
    }

    /// The names of those that are left.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.given.iter().map(|given| &given.name)
    }

    /// Says what a text in place of an option was probably meant to be.
    fn mend_quoted(&self, text: &str, value: &Value) -> String {
        if let Some((limit, per)) = rate(text) {
            return format!("write `limit = {limit}, per = \"{per}\"`");
        }
        if let Ok(limit @ 1..) = text.parse::<u32>() {
            return format!("write `limit = {limit}`");
        }
        if self.known.iter().any(|(known, _)| *known == text) {
            return format!("write `{text}` without them");
        }
        match value {
            Value::None => format!(
                "an option begins with its name, as in `{}`",
                example("limit")
            ),
            _ => "tiers of your own are named in `tiers(\"…\" = 60)`".to_owned(),
        }
    }

    fn misses_its_value<T>(
        &self,
        name: &str,
        given: Given<Value>,
        errors: &mut Errors,
    ) -> Given<T> {
        let example = match &given.value {
            Some(Value::Group(tokens)) => match limit_and_window(tokens.clone()) {
                Some((limit, per)) if name == "limit" => {
                    format!("limit = {limit}, per = \"{per}\"")
                }
                _ => with_value(name, tokens),
            },
            _ => self.example(name).to_owned(),
        };
        errors.at(
            &given.name,
            format!("`{name}` needs a value"),
            format!("write `{example}`"),
        );
        Given {
            name: given.name,
            position: given.position,
            value: None,
        }
    }

    /// Takes an option out, whatever its form.
    pub(crate) fn take_any(&mut self, name: &str) -> Option<Given<Value>> {
        let at = self
            .given
            .iter()
            .position(|given| given.name.text() == name)?;
        Some(self.given.remove(at))
    }

    fn example(&self, name: &str) -> &'static str {
        let known = self.known.iter().find(|(known, _)| *known == name);
        known.map_or("name = value", |(_, example)| example)
    }

    /// What an unknown option was probably meant to be.
    fn mend(&self, name: &str, value: &Value) -> String {
        let names = || self.known.iter().map(|(known, _)| *known);
        if let Some((_, per)) = RATES.iter().find(|(theirs, _)| *theirs == name) {
            let limit = match value {
                Value::Is(limit) => unquoted(limit),
                Value::Group(limit) if !limit.is_empty() => {
                    let limit = limit.clone();
                    let tokens = limit.to_string();
                    syn::parse2(limit).map_or(tokens, |limit| unquoted(&limit))
                }
                _ => "60".to_owned(),
            };
            return format!("write `limit = {limit}, per = \"{per}\"`");
        }
        let borrowed = BORROWED
            .iter()
            .find(|(theirs, ours)| *theirs == name && names().any(|known| known == *ours));
        if name == "fail_open" {
            return "write `on_store_error = \"allow\"`".to_owned();
        }
        if let Some((limit, per)) = value.rate()
            && borrowed.is_some_and(|(_, ours)| *ours == "limit")
        {
            return format!("write `limit = {limit}, per = \"{per}\"`");
        }
        if name == "hosts" {
            return "write `key = host`, and list the hosts with `RateLimiter::builder().hosts([\"shop.example.com\"])`".to_owned();
        }
        if KEYS.contains(&name) && matches!(value, Value::None) {
            return match name {
                "global" => format!("write `key = {name}`"),
                "ip" => "write `key = ip`, or `key = (ip, host)` for both together".to_owned(),
                _ => format!("write `key = {name}`, or `key = (ip, {name})` for both together"),
            };
        }
        if name == "path"
            && let Value::Is(_) | Value::Group(_) = value
        {
            let parameter = match value {
                Value::Is(parameter) => parameter.to_token_stream(),
                Value::Group(parameter) => parameter.clone(),
                Value::None | Value::Type(_) => TokenStream::new(),
            };
            return format!(
                "write `key = path({parameter})`, or `key = (ip, path({parameter}))` for both together"
            );
        }
        if ALGORITHMS.contains(&name) && matches!(value, Value::None) {
            return format!("write `algo = \"{name}\"`");
        }
        if let Some((_, ours)) = borrowed {
            return format!("it is called `{ours}` here, as in `{}`", self.example(ours));
        }
        if let Some(similar) = similar(name, names()) {
            return format!("did you mean `{similar}`?");
        }
        let list = list(names());
        // A tier of the user's own has a value or parentheses.
        let tier = match value {
            Value::Is(limit) if may_limit(limit) => {
                Some(format!("{name} = {}", limit.to_token_stream()))
            }
            Value::Group(quota) => Some(format!("{name}({quota})")),
            Value::Is(_) | Value::None | Value::Type(_) => None,
        };
        match tier.filter(|_| names().any(|known| known == "tiers")) {
            Some(tier) => {
                format!(
                    "if it is a tier of your own, write `tiers({tier})`; the options are {list}"
                )
            }
            None => format!("the options are {list}"),
        }
    }
}

impl Value {
    /// Returns the limit and the window of a text such as `60/minute`.
    fn rate(&self) -> Option<(u32, String)> {
        match self {
            Self::Is(Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            })) => rate(&text.value()),
            _ => None,
        }
    }
}

/// Returns whether a value may be how much is allowed on a tier.
fn may_limit(value: &Expr) -> bool {
    match value {
        Expr::Lit(literal) => matches!(literal.lit, Lit::Int(_)),
        other => !matches!(other, Expr::Array(_) | Expr::Closure(_) | Expr::Tuple(_)),
    }
}

/// An option or a tier of one's own as it could be written.
pub(crate) fn example(name: &str) -> String {
    let known = OPTIONS.iter().find(|(known, _)| *known == name);
    known.map_or_else(
        || format!("{name} = 60"),
        |(_, example)| (*example).to_owned(),
    )
}

/// An option as it should have been written, with the value that it was given in another way.
pub(crate) fn with_value(name: &str, value: &TokenStream) -> String {
    let is_tier = WELL_KNOWN_TIERS.contains(&name) || !is_option(name);
    let is_value = syn::parse2(value.clone()).is_ok_and(|expr| !matches!(expr, Expr::Assign(_)));
    if is_value && name != "tiers" {
        format!("{name} = {value}")
    } else if !value.is_empty() && (is_tier || name == "tiers") {
        format!("{name}({value})")
    } else {
        example(name)
    }
}

/// Whether the attribute has an option of this name.
pub(crate) fn is_option(name: &str) -> bool {
    OPTIONS.iter().any(|(known, _)| *known == name)
}

/// The candidate that a misspelt word most resembles.
pub(crate) fn similar<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let lowercase = word.to_lowercase();
    candidates
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lowercase, candidate),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= candidate.len() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b` and `c` ``
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}
