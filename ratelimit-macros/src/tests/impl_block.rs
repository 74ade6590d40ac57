impl Service {
    #[doc(hidden)]
    #[allow(clippy::unused_async)]
    async fn __rate_limited_show(State(service): State<Self>) -> String {
        Self::name(&service)
    }
    pub async fn show(
        argument_0: ::ratelimit::RateLimited<Shared, State<Self>>,
    ) -> ::ratelimit::__private::Response {
        ::ratelimit::__private::inventory::submit! {
            ::ratelimit::PolicyEntry::new(::core::concat!(::core::module_path!(),
            "::show"), ::core::file!(), ::core::line!(), ::core::column!(),
            ::ratelimit::__private::policies_of:: < Shared >,)
        }
        let (responder, argument_0) = argument_0.into_parts();
        ::ratelimit::Responder::respond(
                &responder,
                Self::__rate_limited_show(argument_0).await,
            )
            .await
    }
}
