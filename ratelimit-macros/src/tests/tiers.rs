#[doc(hidden)]
#[allow(non_camel_case_types)]
pub struct __rate_limit_search;
/// Finds what is looked for.
pub async fn search(
    argument_0: ::ratelimit::RateLimited<__rate_limit_search, State<Db>>,
    argument_1: ::ratelimit::RateLimited<__rate_limit_search, Query<Search>>,
) -> ::ratelimit::__private::Response {
    static __RATE_LIMIT_0: ::ratelimit::Limit = {
        static __RATE_LIMIT_TIERS: [::ratelimit::Tier; 2usize] = [
            ::ratelimit::Tier::new(
                "free",
                ::ratelimit::Quota::with_burst(
                    ::ratelimit::Quota::new(
                        60,
                        ::core::time::Duration::from_micros(60000000u64),
                    ),
                    20,
                ),
            ),
            ::ratelimit::Tier::new(
                "pro",
                ::ratelimit::Quota::with_burst(
                    ::ratelimit::Quota::new(
                        600,
                        ::core::time::Duration::from_micros(60000000u64),
                    ),
                    20,
                ),
            ),
        ];
        ::ratelimit::Limit::new(
            ::ratelimit::Policy::new(
                    ::core::concat!(::core::module_path!(), "::search"),
                    ::ratelimit::Algorithm::TokenBucket,
                    &__RATE_LIMIT_TIERS,
                )
                .with_tier_header({
                    static HEADER: ::ratelimit::__private::HeaderName = ::ratelimit::__private::HeaderName::from_static(
                        "x-api-key",
                    );
                    &HEADER
                }),
        )
    };
    #[allow(non_local_definitions)]
    impl ::ratelimit::PolicySource for __rate_limit_search {
        type Identity = ::ratelimit::NoIdentity;
        fn limits() -> &'static [&'static ::ratelimit::Limit] {
            static ALL: [&::ratelimit::Limit; 1] = [&__RATE_LIMIT_0];
            &ALL
        }
    }
    ::ratelimit::__private::inventory::submit! {
        ::ratelimit::PolicyEntry::new(::core::concat!(::core::module_path!(),
        "::search"), ::core::file!(), ::core::line!(), ::core::column!(),
        ::ratelimit::__private::policies_of:: < __rate_limit_search >,)
    }
    #[allow(clippy::unused_async)]
    #[tracing::instrument]
    async fn search(
        State(db): State<Db>,
        Query(q): Query<Search>,
    ) -> Result<Json<Hits>, AppError> {
        db.find(&q).await
    }
    let (responder, argument_0) = argument_0.into_parts();
    ::ratelimit::Responder::respond(
            &responder,
            search(argument_0, argument_1.into_inner()).await,
        )
        .await
}
