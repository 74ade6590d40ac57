#[doc(hidden)]
#[allow(non_camel_case_types)]
struct __rate_limit_search;
async fn search(
    argument_0: ::ratelimit::RateLimited<__rate_limit_search, ()>,
) -> ::ratelimit::__private::Response {
    static __RATE_LIMIT_0: ::ratelimit::Limit = {
        static __RATE_LIMIT_TIERS: [::ratelimit::Tier; 1usize] = [
            ::ratelimit::Tier::new(
                "free",
                ::ratelimit::Quota::new(
                    10,
                    ::core::time::Duration::from_micros(1000000u64),
                ),
            ),
        ];
        ::ratelimit::Limit::new(
                ::ratelimit::Policy::new(
                        ::core::concat!(::core::module_path!(), "::search"),
                        ::ratelimit::Algorithm::SlidingWindow,
                        &__RATE_LIMIT_TIERS,
                    )
                    .with_key(::ratelimit::Key::Caller),
            )
            .with_on_limited(|exceeded| {
                let answer = too_many;
                ::ratelimit::__private::into_response(answer(exceeded))
            })
    };
    #[allow(non_local_definitions)]
    impl ::ratelimit::PolicySource for __rate_limit_search {
        type Identity = User;
        fn limits() -> &'static [&'static ::ratelimit::Limit] {
            static ALL: ::ratelimit::__private::Lazy<::ratelimit::__private::Limits> = ::ratelimit::__private::Lazy::new(||
            ::ratelimit::__private::join(
                &[&[&__RATE_LIMIT_0], <Shared as ::ratelimit::PolicySource>::limits()],
            ));
            &ALL
        }
    }
    ::ratelimit::__private::inventory::submit! {
        ::ratelimit::PolicyEntry::new(::core::concat!(::core::module_path!(),
        "::search"), ::core::file!(), ::core::line!(), ::core::column!(),
        ::ratelimit::__private::policies_of:: < __rate_limit_search >,)
    }
    #[allow(clippy::unused_async)]
    async fn search() -> &'static str {
        "found"
    }
    let (responder, ()) = argument_0.into_parts();
    ::ratelimit::Responder::respond(&responder, search().await).await
}
