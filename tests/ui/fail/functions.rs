use axum::{http::request::Parts, response::Response};
use ratelimit::{RateLimitExceeded, rate_limit};

fn wide(_: &Parts) -> u64 {
    1
}

fn no_key(_: &Parts) -> f64 {
    1.0
}

fn of_the_request(_: &Parts) -> bool {
    true
}

fn of_the_response(_: &Response) -> bool {
    true
}

struct NoResponse;

fn no_answer(_: &RateLimitExceeded) -> NoResponse {
    NoResponse
}

#[rate_limit(limit = 60, cost = wide)]
async fn cost_of_another_type() {}

#[rate_limit(limit = 60, key = no_key)]
async fn key_of_another_type() {}

#[rate_limit(limit = 60, refund_if = of_the_request)]
async fn of_another_argument() {}

#[rate_limit(limit = 60, exempt = of_the_response)]
async fn of_the_wrong_side() {}

#[rate_limit(limit = 60, on_limited = no_answer)]
async fn not_an_answer() {}

#[rate_limit(limit = 60, key = missing)]
async fn missing_function() {}

fn main() {}
