//! The document as a stream of events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream;
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::Value;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Interval, MissedTickBehavior, interval},
};

use super::{Problem, Shared};

/// After so many ticks a stream ends, and the page asks for another: a server that shuts down
/// gracefully waits for its connections, and should not wait for as long as somebody watches.
const TICKS: u32 = 20;

/// The number of streams that a dashboard serves at the same time.
pub(super) const STREAMS_MAX: usize = 64;

/// Seconds after which to try again. A stream that is read lasts for [`TICKS`] seconds, so that with all
/// taken, another is likely to have become free by then.
const RETRY: HeaderValue = HeaderValue::from_static("5");

/// One stream. An event is made when the connection has room for it, so a client that reads slowly
/// has at most one document waiting for it in this process, besides what the server buffers.
struct Watcher {
    /// Held until the stream has ended, or its client has gone.
    _permit: OwnedSemaphorePermit,
    shared: Arc<Shared>,
    seconds: Interval,
    ticks: u32,
    /// The last second that it knows of.
    until: Option<u64>,
}

pub(super) async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(permit) = Semaphore::try_acquire_owned(shared.streams.clone()) else {
        return too_many();
    };
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher {
        _permit: permit,
        shared,
        seconds,
        ticks: 0,
        until: None,
    };
    Sse::new(stream::unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    }))
    .into_response()
}

fn too_many() -> Response {
    let error = format!(
        "{STREAMS_MAX} event streams of this dashboard are open already: read api/state, or try again"
    );
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, error).into_response();
    response.headers_mut().insert(RETRY_AFTER, RETRY);
    response
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        if self.ticks > TICKS {
            return None;
        }
        self.ticks += 1;
        if self.ticks > TICKS {
            return Some(Event::default().event("again").data("{}"));
        }
        self.seconds.tick().await;
        let document = self.shared.document.since(self.until).await;
        let name = match self.until {
            None => "state",
            Some(_) => "tick",
        };
        self.until = document["history"]["until"].as_u64();
        Some(Event::default().event(name).data(text(&document)))
    }
}

fn text(document: &Value) -> String {
    document.to_string()
}
