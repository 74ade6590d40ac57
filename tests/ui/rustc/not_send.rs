use std::rc::Rc;

use axum::{Router, routing::get};
use ratelimit::rate_limit;

#[rate_limit(limit = 60)]
async fn handler() {
    let held = Rc::new(5);
    std::future::ready(()).await;
    drop(held);
}

fn main() {
    let _: Router = Router::new().route("/", get(handler));
}
