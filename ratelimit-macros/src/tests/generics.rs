#[doc(hidden)]
#[allow(non_camel_case_types)]
struct __rate_limit_generic;
async fn generic<'a, T: 'a, const N: usize>(
    #[cfg(feature = "extra")]
    argument_0: ::ratelimit::RateLimited<__rate_limit_generic, Extra>,
    argument_1: ::ratelimit::RateLimited<__rate_limit_generic, State<T>>,
) -> ::ratelimit::__private::Response
where
    T: Clone,
{
    static __RATE_LIMIT_0: ::ratelimit::Limit = {
        static __RATE_LIMIT_TIERS: [::ratelimit::Tier; 1usize] = [
            ::ratelimit::Tier::new(
                "default",
                ::ratelimit::Quota::new(LIMIT, ::ratelimit::__private::window(WINDOW)),
            ),
        ];
        ::ratelimit::Limit::new(
            ::ratelimit::Policy::new(
                    ::core::concat!(::core::module_path!(), "::generic"),
                    ::ratelimit::Algorithm::SlidingWindow,
                    &__RATE_LIMIT_TIERS,
                )
                .with_key({
                    static __RATE_LIMIT_KEYS: [::ratelimit::Key; 2usize] = [
                        ::ratelimit::Key::Ip,
                        ::ratelimit::Key::Of(|parts: &::ratelimit::__private::Parts| {
                            let key = tenant;
                            ::ratelimit::KeyValue::into_key(key(parts))
                        }),
                    ];
                    ::ratelimit::Key::All(&__RATE_LIMIT_KEYS)
                })
                .with_cost_of(size),
        )
    };
    #[allow(non_local_definitions)]
    impl ::ratelimit::PolicySource for __rate_limit_generic {
        type Identity = ::ratelimit::NoIdentity;
        fn limits() -> &'static [&'static ::ratelimit::Limit] {
            static ALL: [&::ratelimit::Limit; 1] = [&__RATE_LIMIT_0];
            &ALL
        }
    }
    ::ratelimit::__private::inventory::submit! {
        ::ratelimit::PolicyEntry::new(::core::concat!(::core::module_path!(),
        "::generic"), ::core::file!(), ::core::line!(), ::core::column!(),
        ::ratelimit::__private::policies_of:: < __rate_limit_generic >,)
    }
    #[allow(clippy::unused_async)]
    async fn generic<'a, T: 'a, const N: usize>(
        #[cfg(feature = "extra")]
        _: Extra,
        State(state): State<T>,
    ) -> String
    where
        T: Clone,
    {
        state.clone().show(N)
    }
    let (responder, argument_1) = argument_1.into_parts();
    ::ratelimit::Responder::respond(
            &responder,
            generic::<
                T,
                N,
            >(#[cfg(feature = "extra")] argument_0.into_inner(), argument_1)
                .await,
        )
        .await
}
