#[doc(hidden)]
#[allow(non_camel_case_types)]
struct __rate_limit_ping;
async fn ping(
    argument_0: ::ratelimit::RateLimited<__rate_limit_ping, ()>,
) -> ::ratelimit::__private::Response {
    static __RATE_LIMIT_0: ::ratelimit::Limit = {
        static __RATE_LIMIT_TIERS: [::ratelimit::Tier; 1usize] = [
            ::ratelimit::Tier::new(
                "default",
                ::ratelimit::Quota::new(
                    5,
                    ::core::time::Duration::from_micros(60000000u64),
                ),
            ),
        ];
        ::ratelimit::Limit::new(
            ::ratelimit::Policy::new(
                ::core::concat!(::core::module_path!(), "::ping"),
                ::ratelimit::Algorithm::SlidingWindow,
                &__RATE_LIMIT_TIERS,
            ),
        )
    };
    #[allow(non_local_definitions)]
    impl ::ratelimit::PolicySource for __rate_limit_ping {
        type Identity = ::ratelimit::NoIdentity;
        fn limits() -> &'static [&'static ::ratelimit::Limit] {
            static ALL: [&::ratelimit::Limit; 1] = [&__RATE_LIMIT_0];
            &ALL
        }
    }
    ::ratelimit::__private::inventory::submit! {
        ::ratelimit::PolicyEntry::new(::core::concat!(::core::module_path!(), "::ping"),
        ::core::file!(), ::core::line!(), ::core::column!(),
        ::ratelimit::__private::policies_of:: < __rate_limit_ping >,)
    }
    #[allow(clippy::unused_async)]
    async fn ping() {}
    let (responder, ()) = argument_0.into_parts();
    ::ratelimit::Responder::respond(&responder, ping().await).await
}
