//! Each option of the attribute, on both stores.

mod cors;
mod costs;
mod exempt_paths;
mod grpc;
mod headers;
mod hosts;
mod keys;
mod known_callers;
mod layer;
mod leases;
mod modes;
mod several;
mod shared;
mod testing;
mod tiers;
mod wait;

use ratelimit_tests::{App, header};

/// The status of a GET request, and the requests left that its answer speaks of.
async fn get(app: &App, path: &str) -> (u16, Option<String>) {
    let response = app.get(path).send().await.expect("an answer");
    let left = header(&response, "x-ratelimit-remaining").map(str::to_owned);
    (response.status().as_u16(), left)
}

fn left(status: u16, left: &str) -> (u16, Option<String>) {
    (status, Some(left.to_owned()))
}
