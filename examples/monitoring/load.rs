//! Requests that the program sends itself, over HTTP, in waves: so that there is something to see.

use std::{env, error::Error, f64::consts::TAU, net::SocketAddr, time::Duration};

use reqwest::{Client, RequestBuilder};
use tokio::{
    task::JoinSet,
    time::{self, Instant},
};

/// Who sends requests.
#[derive(Clone, Copy)]
enum Who {
    /// Whoever has this API key.
    Key(&'static str),
    /// So many clients in turn, each at an address of its own.
    Addresses(u32),
}

/// One stream of requests, more and less of them in turn.
struct Stream {
    path: &'static str,
    who: Who,
    /// Requests in a second, at the top of a wave.
    peak: f64,
    /// Seconds from one top to the next.
    wave: f64,
}

/// At the bottom of a wave.
const CALM: f64 = 0.25;

/// Above the limits at the top of their waves, except for the tiers `pro` and `internal`. The waves
/// differ in length, so that now one policy turns clients away, and now another.
const STREAMS: [Stream; 7] = [
    Stream {
        path: "/search",
        who: Who::Key("demo-free"),
        peak: 4.0,
        wave: 120.0,
    },
    Stream {
        path: "/search",
        who: Who::Key("demo-pro"),
        peak: 6.0,
        wave: 75.0,
    },
    Stream {
        path: "/search",
        who: Who::Key("demo-internal"),
        peak: 1.0,
        wave: 200.0,
    },
    // Nobody was given this one: it counts as none.
    Stream {
        path: "/search",
        who: Who::Key("demo-made-up"),
        peak: 1.5,
        wave: 90.0,
    },
    Stream {
        path: "/reports",
        who: Who::Addresses(1),
        peak: 2.0,
        wave: 60.0,
    },
    Stream {
        path: "/reports",
        who: Who::Addresses(16),
        peak: 12.0,
        wave: 150.0,
    },
    Stream {
        path: "/suggestions",
        who: Who::Addresses(3),
        peak: 3.0,
        wave: 100.0,
    },
];

/// Whether requests are sent: `LOAD=off` has the program send none.
pub(crate) fn is_on() -> Result<bool, String> {
    match env::var("LOAD").as_deref() {
        Err(_) | Ok("" | "on") => Ok(true),
        Ok("off") => Ok(false),
        Ok(other) => Err(format!(
            "LOAD={other} is neither on nor off: set it to off to send no requests, or leave it out"
        )),
    }
}

/// Sends requests to the program that listens there, until what this returns is dropped.
pub(crate) fn start(program: SocketAddr) -> Result<JoinSet<()>, Box<dyn Error>> {
    let client = Client::builder().no_proxy().build()?;
    let mut tasks = JoinSet::new();
    for stream in &STREAMS {
        let url = format!("http://{program}{}", stream.path);
        tasks.spawn(stream.send(client.clone(), url));
    }
    Ok(tasks)
}

impl Stream {
    async fn send(&self, client: Client, url: String) {
        let began = Instant::now();
        for turn in 0_u32.. {
            time::sleep(self.pause(began.elapsed())).await;
            // Whatever the answer is: the limiter counts it.
            let _ = self.who.identify(client.get(&url), turn).send().await;
        }
    }

    /// Until the next request. The first ones come halfway up a wave.
    fn pause(&self, since: Duration) -> Duration {
        let swell = 0.5 + 0.5 * (since.as_secs_f64() / self.wave * TAU).sin();
        Duration::from_secs_f64(1.0 / (CALM + self.peak * swell))
    }
}

impl Who {
    /// Has a request come from one of them.
    fn identify(self, request: RequestBuilder, turn: u32) -> RequestBuilder {
        match self {
            Self::Key(key) => request.header("x-api-key", key),
            Self::Addresses(count) => {
                // 203.0.113.0/24 is for examples: RFC 5737.
                let address = format!("203.0.113.{}", 1 + turn % count);
                request.header("x-forwarded-for", address)
            }
        }
    }
}
