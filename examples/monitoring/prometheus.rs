//! The limiter's metrics, for Prometheus to fetch.

use std::time::Duration;

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time;

/// In seconds. Prometheus tells times apart only by these, so 1 ms, which an alert is about, must be
/// one of them. Without any there would be no histogram, but quantiles that cannot be added up over
/// several processes.
const CHECK_DURATIONS: [f64; 17] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2,
    5e-2, 1e-1, 1.0,
];

/// Receives what the limiter tells the `metrics` facade, and serves it at `/metrics`.
pub(crate) fn install() -> Result<Router, BuildError> {
    let checks = Matcher::Full("ratelimit_check_duration_seconds".to_owned());
    let recorded = PrometheusBuilder::new()
        .set_buckets_for_metric(checks, &CHECK_DURATIONS)?
        .install_recorder()?;
    tokio::spawn(tidy_up(recorded.clone()));
    let metrics = async move || {
        let format = [(CONTENT_TYPE, "text/plain; version=0.0.4")];
        (format, recorded.render())
    };
    Ok(Router::new().route("/metrics", get(metrics)))
}

/// What is recorded is counted when it is fetched. Where nobody fetches it, it would pile up.
async fn tidy_up(recorded: PrometheusHandle) {
    let mut turns = time::interval(Duration::from_secs(5));
    loop {
        turns.tick().await;
        recorded.run_upkeep();
    }
}
