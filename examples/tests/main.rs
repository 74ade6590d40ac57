//! Each example as a user runs it: the program itself, over HTTP.

mod behind_a_proxy;
mod custom_response;
mod custom_store;
mod jwt_identity;
mod login_failures;
mod multiple_limits;
mod program;
mod quickstart;
mod testing_your_app;
mod tiers_from_redis;
mod whole_router;

// The tests that this example has itself. Were cargo told to run them where they are, it would not
// build the program any more, which is tested here as well.
#[path = "../testing_your_app.rs"]
#[expect(dead_code, reason = "its program is not run from here")]
mod testing_your_app_itself;
