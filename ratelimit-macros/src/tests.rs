//! What handlers and policies become, to be read by people: `src/tests/*.rs`.
//!
//! `EXPANSIONS=write cargo test -p ratelimit-macros` writes them anew.

use std::{env, fs, path::Path};

use proc_macro2::TokenStream;
use quote::quote;

/// The code as rustfmt would nearly have it.
fn pretty(code: TokenStream) -> String {
    let file = syn::parse2(code).expect("the code of a file");
    prettyplease::unparse(&file)
}

fn assert_expansion(name: &str, expand: impl Fn() -> TokenStream) {
    let code = expand();
    assert_eq!(
        code.to_string(),
        expand().to_string(),
        "{name}: the same handler becomes the same code each time"
    );
    let code = pretty(code);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/tests/{name}.rs"));
    if env::var_os("EXPANSIONS").is_some_and(|what| what == "write") {
        fs::write(&path, &code).expect("a writable source folder");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        code,
        expected,
        "{name} becomes other code than {}",
        path.display()
    );
}

#[test]
fn with_arguments_and_tiers() {
    assert_expansion("tiers", || {
        crate::limit(
            quote!(
                tier_header = "X-API-Key",
                free = 60,
                pro = 600,
                algo = "token_bucket",
                burst = 20
            ),
            quote! {
                /// Finds what is looked for.
                #[tracing::instrument]
                pub async fn search(State(db): State<Db>, Query(q): Query<Search>) -> Result<Json<Hits>, AppError> {
                    db.find(&q).await
                }
            },
        )
    });
}

#[test]
fn without_arguments() {
    assert_expansion("no_arguments", || {
        crate::limit(
            quote!(limit = 5),
            quote!(
                async fn ping() {}
            ),
        )
    });
}

#[test]
fn with_generics_and_configured_arguments() {
    assert_expansion("generics", || {
        crate::limit(
            quote!(limit = LIMIT, per = WINDOW, key = (ip, tenant), cost = size),
            quote! {
                async fn generic<'a, T: 'a, const N: usize>(
                    #[cfg(feature = "extra")] _: Extra,
                    State(state): State<T>,
                ) -> String
                where
                    T: Clone,
                {
                    state.clone().show(N)
                }
            },
        )
    });
}

#[test]
fn with_several_limits() {
    assert_expansion("several", || {
        crate::limit(
            quote!(
                identity = User,
                free = 10,
                per = "1s",
                on_limited = too_many
            ),
            quote! {
                #[rate_limit(policy = Shared)]
                async fn search() -> &'static str {
                    "found"
                }
            },
        )
    });
}

#[test]
fn within_an_impl_block() {
    assert_expansion("impl_block", || {
        let method = crate::limit(
            quote!(policy = Shared),
            quote! {
                pub async fn show(State(service): State<Self>) -> String {
                    Self::name(&service)
                }
            },
        );
        quote!(impl Service { #method })
    });
}

#[test]
fn a_shared_policy() {
    assert_expansion("policy", || {
        crate::declare(quote! {
            /// What everybody may do.
            pub(crate) Everything: limit = 1000, wait = "500ms"
        })
    });
}

#[test]
fn a_mistake_leaves_the_handler_as_it_was() {
    assert_expansion("mistake", || {
        crate::limit(
            quote!(limit = 0),
            quote! {
                #[rate_limit(limt = 5)]
                async fn search() -> &'static str {
                    "found"
                }
            },
        )
    });
}

/// Returns the help of each error that the attribute gives.
fn help_for(attribute: &str) -> Vec<String> {
    let attribute: TokenStream = attribute.parse().expect("tokens");
    let code = crate::limit(
        attribute,
        quote!(
            async fn handler() {}
        ),
    )
    .to_string();
    let errors = code.split("= help: ").skip(1);
    let until_end = |error: &str| {
        let end = error.find("\" }").unwrap_or(error.len());
        error[..end].replace("\\\"", "\"")
    };
    errors.map(until_end).collect()
}

const A_MINUTE: &str = "limit = 60, per = \"1m\"";

/// Options as people write them who know other libraries, and what the help for each contains.
const MEANT: &[(&str, &str)] = &[
    (r#""60/minute""#, A_MINUTE),
    (r#""60 per minute", key = ip"#, A_MINUTE),
    (r#""60""#, "`limit = 60`"),
    (r#""limit" = 60"#, "write `limit` without them"),
    ("60", "as in `limit = 60`"),
    ("60 / minute", A_MINUTE),
    ("10r / s", "as in `limit = 10, per = \"1s\"`"),
    (r#"limit = "60/minute""#, A_MINUTE),
    (r#"limit = "60 r/m""#, A_MINUTE),
    (r#"limit = "60 requests per minute""#, A_MINUTE),
    (r#"limit = "60rpm""#, A_MINUTE),
    (
        r#"limit = "60 every 5 minutes""#,
        "limit = 60, per = \"5m\"",
    ),
    (r#"limit = "1,000""#, "`limit = 1000`"),
    (r#"limit = "unlimited""#, "only a tier can be unlimited"),
    ("limit = 60 / minute", A_MINUTE),
    ("limit = 60 per minute", A_MINUTE),
    (r#"limit = (60, "1m")"#, A_MINUTE),
    (r#"limit(60, "1m")"#, A_MINUTE),
    ("limit = Quota::per_minute(60)", A_MINUTE),
    ("per_minute(60)", A_MINUTE),
    ("per_second(5)", "limit = 5, per = \"1s\""),
    (r#"rate = "60/minute""#, A_MINUTE),
    ("limit = 60, per = 60", "`per = \"60s\"` for seconds"),
    ("limit = 60, per = minute", "write `per = \"1m\"`"),
    (r#"limit = 60, per = "1 minute""#, "write `per = \"1m\"`"),
    (r#"limit = 60, per = "1 week""#, "write `per = \"7d\"`"),
    (r#"limit = 60, per = "1.5h""#, "write `per = \"90m\"`"),
    (r#"limit = 60, wait = "0.5s""#, "write `wait = \"500ms\"`"),
    (
        r#"limit = 60, algo = "token_bucket", burst = "20""#,
        "`burst = 20`",
    ),
    ("limit = 60, cost = 1.5", "smaller units"),
    (
        r#"limit = 60, key = "ip""#,
        "write it without quotes: `key = ip`",
    ),
    (
        "limit = 60, key = X-Tenant",
        "write `key = header(\"X-Tenant\")`",
    ),
    ("limit = 60, key = Key::Host", "write `key = host`"),
    ("limit = 60, key = HOST", "write `key = host`"),
    (
        r#"limit = 60, key = host("a.example")"#,
        "hosts([\"a.example\"])",
    ),
    (r#"limit = 60, key = header("Host")"#, "write `key = host`"),
    ("limit = 60, key = [ip, host]", "write `key = (ip, host)`"),
    (
        "limit = 60, key = ip | path(\"id\")",
        "`key = (ip, path (\"id\"))`",
    ),
    (
        "limit = 60, key = ip, host",
        "or `key = (ip, host)` for both",
    ),
    ("limit = 60, global", "write `key = global`"),
    ("limit = 60, by = ip", "it is called `key` here"),
    (
        r#"limit = 60, hosts = ["a.example"]"#,
        "RateLimiter::builder().hosts([",
    ),
    (
        "limit = 60, token_bucket",
        "write `algo = \"token_bucket\"`",
    ),
    (
        "limit = 60, algo = Algorithm::TokenBucket",
        "write `algo = \"token_bucket\"`",
    ),
    (
        r#"limit = 60, algo = "sliding""#,
        "write `algo = \"sliding_window\"`",
    ),
    (
        "limit = 60, name = search",
        "write it with quotes: `name = \"search\"`",
    ),
    (r#"limit = 60, methods = "GET""#, "the options are"),
    (r#"limit = ("60", "1m")"#, A_MINUTE),
    (r#"limit("60", "1m")"#, A_MINUTE),
    (r#"per_minute = "60""#, A_MINUTE),
    (r#"per_minute = "many""#, A_MINUTE),
    ("Quota::per_minute(60)", A_MINUTE),
    (
        "ratelimit::Quota::per_hour(LIMIT)",
        "limit = LIMIT, per = \"1h\"",
    ),
    ("Algorithm::TokenBucket", "as in `limit = 60`"),
    ("limit = 60.0", "write `limit = 60`"),
    ("limit = 1e3", "write `limit = 1000`"),
    ("limit = 1e12", "at most 4294967295"),
    ("limit = 0.5", "`limit = 1, per = \"2m\"`"),
    ("limit = 1.5", "`limit = 3, per = \"2m\"`"),
    ("limit = 60, cost = 2.0", "write `cost = 2`"),
    ("limit = 60, cost = 1.25", "each cost by 100"),
    ("limit = 60, burst = 20 per minute", "write `burst = 20`"),
    (
        r#"limit = 60, key = Key::Header("X-A")"#,
        "write `key = header(\"X-A\")`",
    ),
    (
        "limit = 60, key = Key::Header",
        "`key = header(\"X-Tenant\")`",
    ),
    ("limit = 60, key = Key::Host()", "write `key = host`"),
    ("limit = 60, key = headr()", "`key = header(\"X-Tenant\")`"),
    (
        r#"limit = 60, key = host(["a.example", "b.example"])"#,
        ".hosts([\"a.example\", \"b.example\"])",
    ),
    (
        r#"limit = 60, key = host(&["a.example"])"#,
        ".hosts([\"a.example\"])",
    ),
    ("limit = 60, key = host(HOSTS)", ".hosts(HOSTS)"),
    (
        r#"limit = 60, key = ip, path("id")"#,
        "`key = (ip, path(\"id\"))` for both",
    ),
    (
        r#"tier_header = "K", free = 60 per minute"#,
        "write `free(limit = 60, per = \"1m\")`",
    ),
    (
        r#"tier_header = "Authorization: Bearer", free = 60"#,
        "`tier_header = \"Authorization\"`",
    ),
    (
        "tier_header = X-API-Key, free = 60",
        "write `tier_header = \"X-API-Key\"`",
    ),
    (
        "tier_header = x_tenant, free = 60",
        "write `tier_header = \"X-Tenant\"`",
    ),
    (
        r#"tier_header = HeaderName::from_static("x-key"), free = 60"#,
        "write `tier_header = \"x-key\"`",
    ),
    (
        r#"tier_header = "K", free = "60/m""#,
        "`free(limit = 60, per = \"1m\")`",
    ),
    (
        r#"tier_header = "K", free(60, "1m")"#,
        "`free(limit = 60, per = \"1m\")`",
    ),
    (
        r#"tier_header = "K", free = (60, "1m")"#,
        "`free(limit = 60, per = \"1m\")`",
    ),
];

#[test]
fn help_fits_what_was_meant() {
    for (attribute, meant) in MEANT {
        let help = help_for(attribute);
        assert_eq!(help.len(), 1, "{attribute}: {help:?}");
        assert!(help[0].contains(meant), "{attribute}: {}", help[0]);
    }
    for attribute in [
        "tier_header = H, free = 60",
        "tier_header = http::header::AUTHORIZATION, free = 60",
        "limit = 60, key = header(TENANT)",
        "limit = LIMIT / 2, per = WINDOW, name = NAME",
        "limit = limits::per_minute(LIMIT, 5)",
        "limit = 60, key = (host, ip)",
        "limit = 60, key = self::host",
        "limit = 60, key = hosts",
    ] {
        assert_eq!(help_for(attribute), <[String; 0]>::default(), "{attribute}");
    }
}

/// The options in these words, in quotes of code.
fn advised(help: &str) -> impl Iterator<Item = &str> {
    let quoted = help.split('`').skip(1).step_by(2);
    quoted.filter(|code| {
        !code.starts_with("RateLimiter") && (code.contains(" = ") || code.contains('('))
    })
}

#[test]
fn help_can_be_pasted() {
    let mut pasted = 0;
    for (attribute, _) in MEANT {
        for help in help_for(attribute) {
            for code in advised(&help) {
                let whole = match code {
                    _ if code.starts_with("limit") => code.to_owned(),
                    _ if code.starts_with("free") => format!("tier_header = \"K\", {code}"),
                    _ if code.starts_with("internal") => {
                        format!("tier_header = \"K\", free = 60, {code}")
                    }
                    _ if code.starts_with("tier_header") => format!("{code}, free = 60"),
                    _ if code.starts_with("burst") => {
                        format!("limit = 60, algo = \"token_bucket\", {code}")
                    }
                    _ => format!("limit = 60, {code}"),
                };
                assert_eq!(
                    help_for(&whole),
                    <[String; 0]>::default(),
                    "{attribute}: {whole}"
                );
                pasted += 1;
            }
        }
    }
    assert!(pasted > 60, "{pasted}");
}
