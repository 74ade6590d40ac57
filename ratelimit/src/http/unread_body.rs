//! The body of a request that is answered before the body is read.
//!
//! A server that closes a connection with unread bytes resets it, and the client may lose the response
//! that it has not read yet ([RFC 9112, section 9.6]). A client that sends its whole body before it
//! reads gets an error in place of a 429. So the rest of the body is read in the background, while the
//! response is sent, up to a bound. Then the connection is kept for a moment before it is closed. It
//! goes on only after a short body, so that rejected uploads leave no large buffers behind.
//!
//! HTTP/2 and HTTP/3 end a stream and not the connection, so nothing is read there
//! ([RFC 9113, section 8.1]).
//!
//! [RFC 9112, section 9.6]: https://www.rfc-editor.org/rfc/rfc9112#section-9.6
//! [RFC 9113, section 8.1]: https://www.rfc-editor.org/rfc/rfc9113#section-8.1

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
};
use http::{
    HeaderMap, HeaderValue, Version,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING},
    request::Parts,
};
use http_body::{Frame, SizeHint};
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    task_local,
    time::{sleep, timeout},
};
use tower_layer::Layer;
use tower_service::Service;

/// The bytes that are read of a body, as in Go's `net/http`.
const DRAIN_MAX: u64 = 256 * 1024;

/// The length of a body with which a connection goes on. Such a body is usually in the server's buffer
/// together with the head, which is all that hyper reads of a body that is dropped. With a longer one,
/// hyper enlarges the buffer of the connection, up to 400 KiB for as long as it is open.
const KEEP_MAX: u64 = 4 * 1024;

/// How long a body is read: 256 KiB at 1 Mbit/s.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// How long a connection with unread bytes stays open, so that the client reads the response before it
/// is reset: as long as in Go's `net/http`.
const LINGER: Duration = Duration::from_millis(500);

/// The least that a frame counts, so that a body of one-byte chunks is not read in 262,144 steps.
const FRAME_MIN: u64 = 64;

/// How many bodies are read at a time, so that their buffers take no more than about 100 MB.
const MAX_READ: usize = 100;

/// How many connections are kept open at a time, including those whose body is read. Those beyond that
/// are closed at once.
const MAX_OPEN: usize = 1_000;

task_local! {
    /// Set while a body is drained. Layers around each other wrap it several times, and each would drain
    /// what the one before has left.
    static DRAINING: ();
}

static READ: Semaphore = Semaphore::const_new(MAX_READ);
static OPEN: Semaphore = Semaphore::const_new(MAX_OPEN);

/// Reads what is to be read of a rejected request's body, in the background.
pub(super) fn leave<B>(parts: &Parts, body: B, rejection: &mut HeaderMap)
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    announce_close(parts, rejection);
    if is_http1(parts.version) && !body.is_end_stream() {
        spawn_drain(body, is_awaited(&parts.headers));
    }
}

/// Announces in a rejection that the connection will be closed, if its request has a body that is not
/// short.
pub(super) fn announce_close(parts: &Parts, rejection: &mut HeaderMap) {
    let headers = &parts.headers;
    let length = headers.get(CONTENT_LENGTH).map_or(0, |length| {
        let length = length.to_str().ok().and_then(|text| text.parse().ok());
        length.unwrap_or(u64::MAX)
    });
    let is_chunked = headers.contains_key(TRANSFER_ENCODING);
    let closes = is_chunked || length > KEEP_MAX || (length > 0 && is_awaited(headers));
    if closes && is_http1(parts.version) {
        rejection
            .entry(CONNECTION)
            .or_insert(HeaderValue::from_static("close"));
    }
}

fn is_http1(version: Version) -> bool {
    version <= Version::HTTP_11
}

fn is_awaited(headers: &HeaderMap) -> bool {
    headers.contains_key(EXPECT)
}

/// Drains a body in the background. It must not be read if its client sends it only when it is asked
/// to, since reading it asks for it ([RFC 9110, section 10.1.1]).
///
/// [RFC 9110, section 10.1.1]: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
fn spawn_drain<B: HttpBody<Data = Bytes> + Send + 'static>(body: B, is_unreadable: bool) {
    if let Ok(runtime) = Handle::try_current()
        && DRAINING.try_with(|()| ()).is_err()
        && let Ok(permit) = OPEN.try_acquire()
    {
        runtime.spawn(DRAINING.scope((), async move {
            let _permit = permit;
            drain_and_linger(pin!(body), is_unreadable).await;
        }));
    }
}

/// Reads a body to its end or to the bound, and then keeps its connection open for a moment.
async fn drain_and_linger<B: HttpBody<Data = Bytes>>(mut body: Pin<&mut B>, is_unreadable: bool) {
    // What is known to be too long is not begun.
    if !is_unreadable
        && body.size_hint().lower() <= DRAIN_MAX
        && let Ok(_permit) = READ.try_acquire()
    {
        let reached = timeout(DRAIN_TIME, read(body.as_mut()));
        if !matches!(reached.await, Ok(Reached::Bound)) {
            return;
        }
    }
    sleep(LINGER).await;
}

/// How far a body was read.
enum Reached {
    /// To its end.
    End,
    /// To the most that is read of a body, or until it failed: its client went away, or a layer around
    /// this one, such as tower-http's `RequestBodyLimitLayer`, allows no more.
    Bound,
}

async fn read<B: HttpBody<Data = Bytes>>(mut body: Pin<&mut B>) -> Reached {
    let mut left = DRAIN_MAX;
    loop {
        let length = poll_fn(|cx| {
            let frame = ready!(body.as_mut().poll_frame(cx));
            Poll::Ready(frame.map(|frame| frame.map(|frame| length_of(&frame))))
        });
        let length = match length.await {
            None => return Reached::End,
            Some(Err(_)) => return Reached::Bound,
            Some(Ok(length)) => length,
        };
        match left.checked_sub(length.max(FRAME_MIN)) {
            Some(less) => left = less,
            None => return Reached::Bound,
        }
    }
}

fn length_of(frame: &Frame<Bytes>) -> u64 {
    let length = frame.data_ref().map_or(0, Bytes::len);
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A layer that reads the rest of a request's body if the application answers without reading it.
///
/// If a limit rejects a request over HTTP/1.1 before its body is read, the server closes the connection
/// unless all of the body has arrived. A client that sends its whole body before it reads may then see
/// a broken connection in place of the 429. [`RateLimitLayer`](crate::RateLimitLayer) prevents that for
/// its own rejections, and so does [`#[rate_limit]`](macro@crate::rate_limit) if the handler's first
/// argument takes the body. In other handlers axum drops the body. This layer prevents it for those, and
/// for all else that answers without reading the body, such as an extractor that rejects credentials.
///
/// The body is read in the background while the response is sent: up to 256 KiB, for up to 2 seconds,
/// and of up to 100 requests at a time. Otherwise the connection is closed half a second later, and at
/// once if that is so of 1,000 connections. A body with a larger `Content-Length`, and one that the
/// client announces with `Expect: 100-continue`, is not read.
///
/// Over HTTP/2 it does nothing: a stream ends there, and the connection goes on.
///
/// ```
/// use axum::{Router, body::Bytes, extract::State, routing::post};
/// use ratelimit::{DrainBodyLayer, rate_limit};
///
/// #[rate_limit(limit = 60)]
/// async fn upload(State(name): State<&'static str>, body: Bytes) -> String {
///     format!("{} bytes for {name}", body.len())
/// }
///
/// let app: Router = Router::new()
///     .route("/", post(upload))
///     .with_state("example")
///     .layer(DrainBodyLayer::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DrainBodyLayer(());

impl DrainBodyLayer {
    /// Makes the layer.
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for DrainBodyLayer {
    type Service = DrainBody<S>;

    fn layer(&self, inner: S) -> DrainBody<S> {
        DrainBody(inner)
    }
}

/// The service of [`DrainBodyLayer`].
#[derive(Clone, Copy, Debug)]
pub struct DrainBody<S>(S);

impl<S: Service<Request>> Service<Request> for DrainBody<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        if !is_http1(request.version()) || request.body().is_end_stream() {
            return self.0.call(request);
        }
        let is_awaited = is_awaited(request.headers());
        let request = request.map(|body| {
            Body::new(DrainedBody {
                body: Some(body),
                is_unreadable: is_awaited,
            })
        });
        self.0.call(request)
    }
}

/// A request's body that is drained when it is dropped before its end.
struct DrainedBody {
    /// `None` at its end.
    body: Option<Body>,
    /// The client sends it only if it is asked to, or it has failed.
    is_unreadable: bool,
}

impl HttpBody for DrainedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_unreadable = false;
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if frame.is_none() {
            self.body = None;
        }
        self.is_unreadable = matches!(frame, Some(Err(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.as_ref().map(HttpBody::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl Drop for DrainedBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !body.is_end_stream()
        {
            spawn_drain(body, self.is_unreadable);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use axum::{BoxError, body::to_bytes};
    use futures_util::{Stream, StreamExt, stream};
    use tokio::time::Instant;

    use super::*;

    fn post() -> Parts {
        let (parts, ()) = Request::new(()).into_parts();
        parts
    }

    /// A body of a frame for each item, and how much is read of it. It is dropped with the last other
    /// reference to the count.
    fn body_of(
        length: usize,
        items: impl Stream<Item = usize> + Send + 'static,
    ) -> (Body, Arc<AtomicU64>) {
        let read = Arc::new(AtomicU64::new(0));
        let count = read.clone();
        let frames = items.map(move |_| {
            count.fetch_add(length as u64, Ordering::Relaxed);
            Ok::<_, BoxError>(Bytes::from(vec![b'x'; length]))
        });
        (Body::from_stream(frames), read)
    }

    fn body(length: usize, frames: usize) -> (Body, Arc<AtomicU64>) {
        body_of(length, stream::iter(0..frames))
    }

    /// A body of one frame that does not end.
    fn stalled_body() -> (Body, Arc<AtomicU64>) {
        body_of(1_000, stream::iter([0]).chain(stream::pending()))
    }

    async fn is_dropped(read: &Arc<AtomicU64>) -> Duration {
        let begin = Instant::now();
        while Arc::strong_count(read) > 1 {
            sleep(Duration::from_millis(1)).await;
        }
        begin.elapsed()
    }

    // One test, since all share the number of bodies that are read at a time.
    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_up_to_a_bound_of_bytes_time_and_number() {
        // To its end.
        let (whole, read) = body(1_000, 100);
        leave(&post(), whole, &mut HeaderMap::new());
        assert!(is_dropped(&read).await < LINGER);
        assert_eq!(read.load(Ordering::Relaxed), 100_000);

        // It does not end.
        for (length, most) in [(1_000, DRAIN_MAX + 1_000), (1, DRAIN_MAX / FRAME_MIN + 1)] {
            let (endless, read) = body(length, usize::MAX);
            leave(&post(), endless, &mut HeaderMap::new());
            let lived = is_dropped(&read).await;
            assert!((LINGER..LINGER * 2).contains(&lived), "{lived:?}");
            let read = read.load(Ordering::Relaxed);
            assert!((most / 2..=most).contains(&read), "{read}");
        }

        // It does not come.
        let (silent, read) = stalled_body();
        leave(&post(), silent, &mut HeaderMap::new());
        let lived = is_dropped(&read).await;
        assert!((DRAIN_TIME..DRAIN_TIME * 2).contains(&lived), "{lived:?}");

        // Layers around each other do so once.
        for expected in [DRAIN_TIME, LINGER] {
            let (inner, read) = if expected == DRAIN_TIME {
                stalled_body()
            } else {
                body(1_000, usize::MAX)
            };
            let mut inner = inner;
            for _ in 0..2 {
                inner = Body::new(DrainedBody {
                    body: Some(inner),
                    is_unreadable: false,
                });
            }
            leave(&post(), inner, &mut HeaderMap::new());
            let lived = is_dropped(&read).await;
            assert!((expected..expected * 3 / 2).contains(&lived), "{lived:?}");
            assert!(read.load(Ordering::Relaxed) <= DRAIN_MAX + 1_000);
        }

        // It fails, as one that a layer around this one makes shorter.
        let read = Arc::new(AtomicU64::new(0));
        let held = read.clone();
        let failure = stream::iter([0]).map(move |_| {
            held.fetch_add(1, Ordering::Relaxed);
            Err::<Bytes, _>(BoxError::from("longer than allowed"))
        });
        leave(&post(), Body::from_stream(failure), &mut HeaderMap::new());
        let lived = is_dropped(&read).await;
        assert!((LINGER..LINGER * 2).contains(&lived), "{lived:?}");

        // So does one that the handler has read until it failed.
        let read = Arc::new(AtomicU64::new(0));
        let held = read.clone();
        let failure = stream::poll_fn(move |_| {
            let times = held.fetch_add(1, Ordering::Relaxed);
            assert_eq!(times, 0, "polled after it failed");
            Poll::Ready(Some(Err::<Bytes, _>(BoxError::from("longer than allowed"))))
        });
        let failing = DrainedBody {
            body: Some(Body::from_stream(failure)),
            is_unreadable: false,
        };
        to_bytes(Body::new(failing), 10)
            .await
            .expect_err("too long");
        let lived = is_dropped(&read).await;
        assert!((LINGER..LINGER * 2).contains(&lived), "{lived:?}");

        // It must not be asked for, and over HTTP/2 need not be read.
        let mut awaited = post();
        for (name, value) in [(EXPECT, "100-continue"), (CONTENT_LENGTH, "10")] {
            let value = HeaderValue::from_static(value);
            awaited.headers.insert(name, value);
        }
        let mut http2 = post();
        http2.version = Version::HTTP_2;
        for (parts, closes) in [(awaited, true), (http2, false)] {
            let (body, read) = body(1_000, 10);
            let mut headers = HeaderMap::new();
            leave(&parts, body, &mut headers);
            assert_eq!(headers.contains_key(CONNECTION), closes);
            is_dropped(&read).await;
            assert_eq!(read.load(Ordering::Relaxed), 0);
        }

        // Too many at a time.
        let flood: Vec<_> = (0..=MAX_OPEN).map(|_| stalled_body()).collect();
        let (bodies, reads): (Vec<_>, Vec<_>) = flood.into_iter().unzip();
        for body in bodies {
            leave(&post(), body, &mut HeaderMap::new());
        }
        let open = reads.iter().filter(|read| Arc::strong_count(read) > 1);
        assert_eq!(open.count(), MAX_OPEN);
        for read in &reads {
            is_dropped(read).await;
        }
        let is_read = |read: &&Arc<AtomicU64>| read.load(Ordering::Relaxed) > 0;
        assert_eq!(reads.iter().filter(is_read).count(), MAX_READ);
    }
}
