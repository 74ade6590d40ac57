//! What lies between an application and its Redis, and what may go wrong there.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch::Sender},
    task::JoinHandle,
    time::{Duration, Instant, sleep, sleep_until},
};

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing: what is sent arrives.
    None,
    /// Answers come so much later.
    Delay(Duration),
    /// The server is far away: a round trip takes so much longer, and any number of them are on their
    /// way at once.
    Distance(Duration),
    /// Connections are accepted, and those that there are stay; but nothing arrives any more on
    /// any of them, also when the trouble is over. Only new ones then work.
    BlackHole,
    /// The same for the first connection alone: the others work.
    BlackHoleOfOne,
    /// Connections are closed, and new ones as soon as they are accepted.
    Refuse,
    /// The next command reaches the server, and its connection is closed in place of the answer. With
    /// that the trouble is over.
    LoseAnswer,
    /// Half of an answer arrives, and the connection is closed.
    Cut,
    /// Answers are replaced with what is none.
    Garbage,
}

/// A TCP proxy before a server on this machine. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    trouble: Sender<Trouble>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts one, with no trouble.
    ///
    /// # Panics
    ///
    /// There is no port to listen on.
    pub async fn start(server_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("the loopback interface has free ports");
        let port = listener.local_addr().expect("it is bound").port();
        let trouble = Sender::new(Trouble::None);
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server_port));
        Self {
            port,
            task: tokio::spawn(accept(listener, server, trouble.clone())),
            trouble,
        }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a Redis behind it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What trouble it makes now.
    pub fn trouble(&self) -> Trouble {
        *self.trouble.borrow()
    }

    /// Has it make trouble.
    pub fn make(&self, trouble: Trouble) {
        self.trouble.send_replace(trouble);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, trouble: Sender<Trouble>) {
    // Connections end with the task, too.
    let mut connections = tokio::task::JoinSet::new();
    let mut is_first = true;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(carry(client, server, trouble.clone(), is_first));
                is_first = false;
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries bytes both ways until one side has had enough, or the trouble has.
async fn carry(client: TcpStream, server: SocketAddr, trouble: Sender<Trouble>, is_first: bool) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut seen = trouble.subscribe();
    let hits = |trouble: &Trouble| match trouble {
        Trouble::BlackHole | Trouble::Refuse => true,
        Trouble::BlackHoleOfOne => is_first,
        _ => false,
    };
    let trouble = tokio::select! {
        biased;
        trouble = seen.wait_for(hits) => trouble.map(|trouble| *trouble),
        _ = tokio::io::copy(&mut from_client, &mut to_server) => return,
        _ = bring_back(&mut from_server, &mut to_client, &trouble) => return,
    };
    if matches!(trouble, Ok(Trouble::BlackHole | Trouble::BlackHoleOfOne)) {
        // Until the client gives up; the other halves are kept open for so long.
        let _ = tokio::io::copy(&mut from_client, &mut tokio::io::sink()).await;
    }
}

async fn bring_back(
    from_server: &mut OwnedReadHalf,
    to_client: &mut OwnedWriteHalf,
    trouble: &Sender<Trouble>,
) -> io::Result<()> {
    let distance = trouble.subscribe();
    let (on_its_way, mut arrived) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let arrive = async move {
        while let Some((at, answer)) = arrived.recv().await {
            sleep_until(at).await;
            if !answer.is_empty() && ends(trouble, Trouble::LoseAnswer) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let now = *trouble.borrow();
            deliver(&answer, to_client, now).await?;
        }
        Ok(())
    };
    let leave = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await?;
            let distance = match *distance.borrow() {
                Trouble::Distance(time) => time,
                _ => Duration::ZERO,
            };
            let sent = on_its_way.send((Instant::now() + distance, buffer[..read].to_vec()));
            if read == 0 || sent.is_err() {
                return Ok(());
            }
        }
    };
    tokio::try_join!(leave, arrive).map(drop)
}

/// Passes an answer on, as far as the trouble lets it.
async fn deliver(
    answer: &[u8],
    to_client: &mut OwnedWriteHalf,
    trouble: Trouble,
) -> io::Result<()> {
    if answer.is_empty() {
        // The server has closed the connection.
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    match trouble {
        Trouble::Delay(time) => {
            sleep(time).await;
            to_client.write_all(answer).await
        }
        Trouble::Cut => {
            to_client.write_all(&answer[..answer.len() / 2]).await?;
            Err(io::ErrorKind::UnexpectedEof.into())
        }
        Trouble::Garbage => to_client.write_all(b"\x00\xffHTTP/1.1 400\r\n").await,
        // The rest befalls whole connections.
        Trouble::None
        | Trouble::Distance(_)
        | Trouble::LoseAnswer
        | Trouble::BlackHole
        | Trouble::BlackHoleOfOne
        | Trouble::Refuse => to_client.write_all(answer).await,
    }
}

/// Whether this trouble was there, which is over now.
fn ends(trouble: &Sender<Trouble>, this: Trouble) -> bool {
    trouble.send_if_modified(|now| {
        let was_there = *now == this;
        if was_there {
            *now = Trouble::None;
        }
        was_there
    })
}
