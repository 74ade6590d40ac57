//! An axum app on a real socket, and requests to it.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use reqwest::{Client, RequestBuilder, Response};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::patience::PATIENCE;

/// An app that listens on a port of its own until it is dropped.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    client: Client,
    server: JoinHandle<()>,
}

impl App {
    /// Serves an app that is told its clients' addresses.
    ///
    /// # Panics
    ///
    /// There is no port to listen on.
    pub async fn start(router: Router) -> Self {
        Self::serve(|listener| async {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).await.expect("it serves");
        })
        .await
    }

    /// Serves an app that is not told its clients' addresses.
    ///
    /// # Panics
    ///
    /// There is no port to listen on.
    pub async fn start_without_connect_info(router: Router) -> Self {
        Self::serve(|listener| async {
            axum::serve(listener, router).await.expect("it serves");
        })
        .await
    }

    async fn serve<F>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("it is bound");
        // A request that is held for ever fails its test.
        let client = Client::builder().no_proxy().timeout(PATIENCE);
        Self {
            address,
            client: client.build().expect("a client"),
            server: tokio::spawn(serve(listener)),
        }
    }

    /// A GET request.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.at(path))
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.at(path))
    }

    /// What the requests are sent with.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The status of a GET request.
    ///
    /// # Panics
    ///
    /// There is no answer.
    pub async fn status(&self, path: &str) -> u16 {
        self.get(path)
            .send()
            .await
            .expect("an answer")
            .status()
            .as_u16()
    }

    /// Asks until the limit is used up.
    ///
    /// # Panics
    ///
    /// There is no limit of up to a thousand requests.
    pub async fn use_up(&self, path: &str) {
        for _ in 0..=1_000 {
            if self.status(path).await == 429 {
                return;
            }
        }
        panic!("nobody is turned away from {path}");
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL of a path.
    pub fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A header of a response, as text.
pub fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
