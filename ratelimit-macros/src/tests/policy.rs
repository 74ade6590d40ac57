/// What everybody may do.
pub(crate) struct Everything;
const _: () = {
    static __RATE_LIMIT_0: ::ratelimit::Limit = {
        static __RATE_LIMIT_TIERS: [::ratelimit::Tier; 1usize] = [
            ::ratelimit::Tier::new(
                "default",
                ::ratelimit::Quota::new(
                    1000,
                    ::core::time::Duration::from_micros(60000000u64),
                ),
            ),
        ];
        ::ratelimit::Limit::new(
            ::ratelimit::Policy::with_wait(
                ::ratelimit::Policy::new(
                    ::core::concat!(::core::module_path!(), "::Everything"),
                    ::ratelimit::Algorithm::SlidingWindow,
                    &__RATE_LIMIT_TIERS,
                ),
                ::core::time::Duration::from_micros(500000u64),
            ),
        )
    };
    #[allow(non_local_definitions)]
    impl ::ratelimit::PolicySource for Everything {
        type Identity = ::ratelimit::NoIdentity;
        fn limits() -> &'static [&'static ::ratelimit::Limit] {
            static ALL: [&::ratelimit::Limit; 1] = [&__RATE_LIMIT_0];
            &ALL
        }
    }
    ::ratelimit::__private::inventory::submit! {
        ::ratelimit::PolicyEntry::new(::core::concat!(::core::module_path!(),
        "::Everything"), ::core::file!(), ::core::line!(), ::core::column!(),
        ::ratelimit::__private::policies_of:: < Everything >,)
    }
};
