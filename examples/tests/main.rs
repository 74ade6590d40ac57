//! Each example as a user runs it: the program itself, over HTTP.

mod behind_a_proxy;
mod custom_response;
mod custom_store;
mod jwt_identity;
mod leases;
mod log;
mod login_failures;
mod monitoring;
mod multiple_limits;
mod program;
mod quickstart;
mod replay;
mod testing_your_app;
mod tiers_from_redis;
mod whole_router;

// The tests that these examples have themselves. Were cargo told to run them where they are, it would
// not build the programs any more, which are tested here as well.
#[path = "../replay/main.rs"]
#[expect(dead_code, reason = "its program is not run from here")]
mod replay_itself;
#[path = "../testing_your_app.rs"]
#[expect(dead_code, reason = "its program is not run from here")]
mod testing_your_app_itself;
