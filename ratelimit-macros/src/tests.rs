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
