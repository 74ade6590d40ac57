//! Rejections that are sent before the request's body is read, as clients see them on the wire.

use std::{
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    body::{Body, Bytes, to_bytes},
    extract::Path,
    http::{HeaderMap, Request, StatusCode, Version, request::Parts},
    routing::{any, get, post},
};
use futures_util::future::join_all;
use ratelimit::{
    DrainBodyLayer, Identified, Identity, RateLimitLayer, RateLimiter, policy, rate_limit,
};
use ratelimit_tests::App;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::http2;

/// What the library reads of a rejected request's body.
const DRAIN_MAX: usize = 256 * 1024;

#[rate_limit(limit = 1, per = "1h")]
async fn body_first(body: Bytes) -> String {
    body.len().to_string()
}

#[rate_limit(limit = 1, per = "1h")]
async fn parts_first(_: HeaderMap, body: Bytes) -> String {
    body.len().to_string()
}

#[rate_limit(limit = 1, per = "1h")]
async fn without_body() {}

#[rate_limit(limit = 1, per = "1h")]
async fn chat(Path(_): Path<u32>) {}

struct Stranger;

impl<S: Sync> axum::extract::FromRequestParts<S> for Stranger {
    type Rejection = StatusCode;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Err(StatusCode::UNAUTHORIZED)
    }
}

impl Identity for Stranger {
    fn identify(&self) -> Option<Identified<'_>> {
        None
    }
}

#[rate_limit(limit = 1, per = "1h", identity = Stranger)]
async fn for_nobody(_: Bytes) {}

policy! { Uploads: limit = 1, per = "1h" }

/// An application, and how many requests have come to `/smuggled`.
async fn start() -> (App, Arc<AtomicUsize>) {
    let smuggled = Arc::new(AtomicUsize::new(0));
    let count = smuggled.clone();
    let layered = Router::new()
        .route("/layer", post(async |body: Bytes| body.len().to_string()))
        .layer(RateLimitLayer::<Uploads>::new());
    let drained = Router::new()
        .route("/parts/drained", post(parts_first))
        .layer(DrainBodyLayer::new());
    let router = Router::new()
        .route("/body", post(body_first))
        .route("/parts", post(parts_first))
        .route("/none", any(without_body))
        .route("/nobody", post(for_nobody))
        .route("/chat/{room}", get(chat))
        .merge(layered)
        .merge(drained)
        .route("/open", any(async || "open"))
        .route(
            "/smuggled",
            any(async move || {
                count.fetch_add(1, Ordering::SeqCst);
            }),
        )
        .layer(Extension(RateLimiter::default()));
    (App::start(router).await, smuggled)
}

/// A client that does nothing but what it is told.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    /// In lower case.
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }
}

impl Connection {
    async fn open(app: &App) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, app.port())).await;
        Self {
            stream: stream.expect("it listens"),
            received: Vec::new(),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Sends a request with this body, all of it before anything is read.
    async fn post(&mut self, path: &str, framing: Framing, body: &[u8]) -> io::Result<()> {
        self.send(framing.head(path, body.len()).as_bytes()).await?;
        for part in body.chunks(8 * 1024) {
            self.send(&framing.frame(part)).await?;
        }
        self.send(framing.end()).await
    }

    /// Reads the next answer; `None` when the connection is closed.
    async fn answer(&mut self) -> io::Result<Option<Answer>> {
        let end = loop {
            let found = self.received.windows(4).position(|at| at == b"\r\n\r\n");
            if let Some(at) = found {
                break at + 4;
            }
            if !self.read().await? {
                assert!(self.received.is_empty(), "half an answer");
                return Ok(None);
            }
        };
        let head = String::from_utf8(self.received.drain(..end).collect()).expect("text");
        let head = head.to_ascii_lowercase();
        let status = head[9..12].parse().expect("a status");
        let length = head.split("\r\n").find_map(|line| {
            let length = line.strip_prefix("content-length: ")?;
            length.parse().ok()
        });
        let length: usize = length.unwrap_or(0);
        while self.received.len() < length {
            assert!(self.read().await?, "half a body");
        }
        let body = self.received.drain(..length).collect();
        Ok(Some(Answer { status, head, body }))
    }

    async fn answered(&mut self) -> Answer {
        let answer = self.answer().await.expect("no reset");
        answer.expect("an answer")
    }

    async fn read(&mut self) -> io::Result<bool> {
        let patience = Duration::from_secs(10);
        let read = self.stream.read_buf(&mut self.received);
        Ok(timeout(patience, read).await.expect("nothing comes")? > 0)
    }
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length,
    Chunked,
}

const FRAMINGS: [Framing; 2] = [Framing::Length, Framing::Chunked];

impl Framing {
    fn head(self, path: &str, length: usize) -> String {
        let framing = match self {
            Self::Length => format!("Content-Length: {length}"),
            Self::Chunked => "Transfer-Encoding: chunked".to_owned(),
        };
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n")
    }

    fn frame(self, part: &[u8]) -> Vec<u8> {
        match self {
            Self::Length => part.to_vec(),
            Self::Chunked => {
                let size = format!("{:x}\r\n", part.len());
                [size.as_bytes(), part, b"\r\n"].concat()
            }
        }
    }

    fn end(self) -> &'static [u8] {
        match self {
            Self::Length => b"",
            Self::Chunked => b"0\r\n\r\n",
        }
    }
}

/// Paths whose rejections are sent with the body at hand.
const DRAINED: [&str; 4] = ["/layer", "/body", "/parts/drained", "/nobody"];

/// Also one whose rejection is sent without it.
const ALL: [&str; 5] = ["/layer", "/body", "/parts/drained", "/nobody", "/parts"];

/// Uses up the limits of all paths.
async fn use_up(app: &App) {
    for path in ["/layer", "/body", "/parts", "/parts/drained", "/none"] {
        let response = app.post(path).send().await.expect("an answer");
        assert!([200, 429].contains(&response.status().as_u16()), "{path}");
    }
}

#[tokio::test]
async fn a_client_that_sends_its_whole_body_before_it_reads_sees_the_rejection() {
    let (app, _) = start().await;
    use_up(&app).await;
    for path in DRAINED {
        for framing in FRAMINGS {
            for length in [1, 4_000, 10_000, 100_000, DRAIN_MAX] {
                let what = format!("{path} {framing:?} {length}");
                for _ in 0..3 {
                    let mut connection = Connection::open(&app).await;
                    let sent = connection.post(path, framing, &vec![b'x'; length]).await;
                    sent.expect(&what);
                    let answer = connection.answer().await.expect(&what).expect(&what);
                    let status = if path == "/nobody" { 401 } else { 429 };
                    assert_eq!(answer.status, status, "{what}");
                    let is_short = length <= 4_000 && matches!(framing, Framing::Length);
                    assert_eq!(answer.closes(), !is_short, "{what}");
                    if is_short {
                        let request = b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n";
                        connection.send(request).await.expect(&what);
                        assert_eq!(connection.answered().await.body, b"open", "{what}");
                    } else {
                        // All is read, so that it is closed and not reset.
                        let rest = connection.answer().await.expect(&what);
                        assert!(rest.is_none(), "{what}");
                    }
                }
            }
        }
    }
}

/// The extractor has no body to read, and the server reads what has arrived with the head.
#[tokio::test]
async fn a_body_that_only_the_server_can_read_ends_with_its_connection_unless_it_is_short() {
    let (app, _) = start().await;
    use_up(&app).await;
    for (framing, length, closes) in [
        (Framing::Length, 5, false),
        (Framing::Length, 4_000, false),
        (Framing::Length, 5_000, true),
        (Framing::Chunked, 5, true),
    ] {
        let what = format!("{framing:?} {length}");
        let request = [
            framing.head("/parts", length).into_bytes(),
            framing.frame(&vec![b'x'; length]),
            framing.end().to_vec(),
        ];
        let mut connection = Connection::open(&app).await;
        for _ in 0..if closes { 1 } else { 3 } {
            connection.send(&request.concat()).await.expect(&what);
            let answer = connection.answered().await;
            assert_eq!((answer.status, answer.closes()), (429, closes), "{what}");
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_too_large_to_read_ends_with_its_connection() {
    let (app, _) = start().await;
    use_up(&app).await;
    // A client that reads while it sends, as curl and browsers do, sees the answer at once.
    let known = async |path: &str| {
        let mut connection = Connection::open(&app).await;
        let head = Framing::Length.head(path, 20_000_000);
        connection.send(head.as_bytes()).await.expect("open");
        connection.send(&vec![b'x'; 50_000]).await.expect("open");
        let answer = connection.answered().await;
        let status = if path == "/nobody" { 401 } else { 429 };
        assert_eq!((answer.status, answer.closes()), (status, true), "{path}");
        // It is soon closed, also if the client just waits.
        let rest = connection.answer().await;
        assert!(!matches!(rest, Ok(Some(_))), "{path}: {rest:?}");
    };
    // Of one whose length is not known beforehand, the server does not read all.
    let unknown = async |path: &str| {
        let mut connection = Connection::open(&app).await;
        let body = vec![b'x'; 100_000_000];
        let sent = connection.post(path, Framing::Chunked, &body).await;
        assert!(sent.is_err(), "{path}: 100 MB are read");
    };
    join_all(ALL.map(known)).await;
    join_all(ALL.map(unknown)).await;
}

#[tokio::test]
async fn an_unread_body_is_never_the_next_request() {
    let (app, smuggled) = start().await;
    use_up(&app).await;
    let mut attempts = Vec::new();
    for path in ALL {
        for framing in FRAMINGS {
            for times in [1, 100, 3_000, 30_000] {
                for is_rejected_first in [false, true] {
                    attempts.push(smuggle(&app, path, framing, times, is_rejected_first));
                }
            }
        }
    }
    join_all(attempts).await;
    assert_eq!(smuggled.load(Ordering::SeqCst), 0);
}

/// Sends a body that consists of requests, before or after the rejection has come.
async fn smuggle(app: &App, path: &str, framing: Framing, times: usize, is_rejected_first: bool) {
    let request = "POST /smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    let body = request.repeat(times);
    let what = format!("{path} {framing:?} {}", body.len());
    let is_rejection = |answer: &Answer| [401, 429].contains(&answer.status);
    let mut connection = Connection::open(app).await;
    // From some time on the connection may be closed.
    if is_rejected_first {
        let head = framing.head(path, body.len());
        connection.send(head.as_bytes()).await.expect(&what);
        assert!(is_rejection(&connection.answered().await), "{what}");
        let _ = connection.send(&framing.frame(body.as_bytes())).await;
        let _ = connection.send(framing.end()).await;
    } else {
        let _ = connection.post(path, framing, body.as_bytes()).await;
        if let Ok(Some(answer)) = connection.answer().await {
            assert!(is_rejection(&answer), "{what}: {answer:?}");
        }
    }
    let next = b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let _ = connection.send(next).await;
    if let Ok(Some(answer)) = connection.answer().await {
        assert_eq!(answer.body, b"open", "{what}");
        let rest = connection.stream.try_read_buf(&mut connection.received);
        assert!(!matches!(rest, Ok(1..)), "{what}");
    }
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_rejected_without_being_told_to_go_on() {
    let (app, _) = start().await;
    use_up(&app).await;
    let ask = async |(path, framing): (&str, Framing)| {
        let mut connection = Connection::open(&app).await;
        let head = framing.head(path, 20);
        let head = head.replace("Host:", "Expect: 100-continue\r\nHost:");
        connection.send(head.as_bytes()).await.expect("open");
        let answer = connection.answered().await;
        assert_ne!(answer.status, 100, "{path} {framing:?}");
        assert!(answer.closes(), "{path} {framing:?}");
        assert!(connection.answer().await.expect("no reset").is_none());
    };
    let requests = ALL
        .into_iter()
        .flat_map(|path| FRAMINGS.map(|framing| (path, framing)));
    join_all(requests.map(ask)).await;
    // One that is not rejected is told.
    for path in ["/layer", "/body", "/parts", "/parts/drained"] {
        let (app, _) = start().await;
        let mut connection = Connection::open(&app).await;
        let head = Framing::Length.head(path, 5);
        let head = head.replace("Host:", "Expect: 100-continue\r\nHost:");
        connection.send(head.as_bytes()).await.expect("open");
        assert_eq!(connection.answered().await.status, 100, "{path}");
        connection.send(b"hello").await.expect("open");
        let answer = connection.answered().await;
        assert_eq!((answer.status, answer.body), (200, b"5".to_vec()), "{path}");
    }
}

#[tokio::test]
async fn requests_without_a_body_leave_the_connection_open() {
    let (app, _) = start().await;
    use_up(&app).await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (method, path, headers) in [
        ("GET", "/none", ""),
        ("HEAD", "/none", ""),
        ("OPTIONS", "/none", ""),
        ("POST", "/layer", "Content-Length: 0\r\n"),
        ("GET", "/none", "Expect: 100-continue\r\n"),
        ("GET", "/chat/1", upgrade),
    ] {
        if path == "/chat/1" {
            // Uses up its limit, whatever it answers.
            app.status(path).await;
        }
        let mut connection = Connection::open(&app).await;
        for _ in 0..3 {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
            connection.send(request.as_bytes()).await.expect("open");
            let answer = if method == "HEAD" {
                // Its length is that of the answer to GET, without the body.
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(connection.stream.read_u8().await.expect("open"));
                }
                let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
                Answer {
                    status: head[9..12].parse().expect("a status"),
                    head,
                    body: Vec::new(),
                }
            } else {
                connection.answered().await
            };
            assert_eq!((answer.status, answer.closes()), (429, false), "{method}");
        }
    }
}

/// HTTP/2 ends a stream and not the connection, and has no such header.
#[tokio::test]
async fn an_upload_over_http2_sees_the_rejection_and_the_connection_goes_on() {
    let (app, _) = start().await;
    use_up(&app).await;
    let client = http2();
    for path in ["/layer", "/body", "/parts", "/parts/drained"] {
        for length in [10, 100_000, 20_000_000] {
            let request = Request::post(app.at(path)).body(Body::from(vec![b'x'; length]));
            let response = client.request(request.expect("a request")).await;
            let response = response.expect("an answer");
            assert_eq!(response.status(), 429, "{path} {length}");
            assert_eq!(response.version(), Version::HTTP_2);
            assert_eq!(response.headers().get("connection"), None);
            let body = to_bytes(Body::new(response.into_body()), 10_000).await;
            let problem = String::from_utf8(body.expect("a body").into()).expect("text");
            assert!(problem.contains("Rate limit exceeded"), "{problem}");
        }
    }
}

#[tokio::test]
async fn a_usual_client_sees_the_rejection_of_a_large_upload() {
    let (app, _) = start().await;
    use_up(&app).await;
    let upload = async |path: &str| {
        for _ in 0..3 {
            let request = app.post(path).body(vec![b'x'; 20_000_000]);
            let response = request.send().await.expect(path);
            let status = if path == "/nobody" { 401 } else { 429 };
            assert_eq!(response.status(), status, "{path}");
            response.bytes().await.expect(path);
        }
    };
    join_all(DRAINED.map(upload)).await;
}
