//! The document as a stream of events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, Sse},
};
use futures_util::stream::{self, Stream};
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Shared;

/// After so many ticks a stream ends, and the page asks for another: a server that shuts down
/// gracefully waits for its connections, and should not wait for as long as somebody watches.
const TICKS: u32 = 20;

struct Watcher {
    shared: Arc<Shared>,
    seconds: Interval,
    ticks: u32,
    /// The last second that it knows of.
    until: Option<u64>,
}

pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher {
        shared,
        seconds,
        ticks: 0,
        until: None,
    };
    Sse::new(stream::unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    }))
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
