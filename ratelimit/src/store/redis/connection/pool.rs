//! The connections to one server, which checks take in turn.
//!
//! A connection that is lost is opened again in the background, while the others carry on. After an
//! outage the first new connection that works ends it; the others are opened at the same time and
//! join when they are there. So recovery takes as long as one connection does, however many there
//! are.

use std::{
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{Cmd, ErrorKind, Pipeline, RedisError, Value};
use tokio::{runtime::Handle, sync::watch};

use super::{
    answer::{Answer, is_redirection, no_answer_in_time},
    error::{NO_CONNECTION, reason},
    link::{Link, Wire},
    placement::{Placement, PlacementProbe, TRIES},
    pooled_connection::{Connecting, PooledConnection},
    round_trip::RoundTrip,
    target::Target,
};
use crate::{budget::Budget, foreign_text::Explanation, store::StoreError};

/// The time before a lost connection is tried again, while others work. It doubles each time.
const RETRY_MIN: Duration = Duration::from_millis(50);

/// The longest such time.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// What a pool is made of.
pub(in super::super) struct PoolSettings {
    pub(in super::super) connections: usize,
    pub(in super::super) timeout: Duration,
    /// Returns what a server has to answer before checks are sent to it, if anything.
    pub(in super::super) probe: Box<dyn Fn() -> Option<Probe> + Send + Sync>,
    pub(in super::super) placement: PlacementProbe,
}

/// What a server has to answer before checks are sent to it.
pub(in super::super) struct Probe {
    /// A write.
    pub(in super::super) write: Cmd,
    /// The removal of what was written.
    pub(in super::super) removal: Cmd,
    /// The scripts that it has to run.
    pub(in super::super) scripts: Pipeline,
}

/// Several connections to one server.
pub(in super::super) struct Pool {
    target: Arc<Target>,
    connections: Box<[Arc<PooledConnection>]>,
    next: AtomicUsize,
    timeout: Duration,
    probe: Box<dyn Fn() -> Option<Probe> + Send + Sync>,
    placement: PlacementProbe,
    round_trip: RoundTrip,
    /// How the last attempt to open a connection ended.
    attempts: watch::Sender<Attempt>,
    server: String,
}

#[derive(Clone, Default)]
enum Attempt {
    #[default]
    Opened,
    Failed(Arc<str>),
}

impl Pool {
    /// Creates a pool without any open connection.
    pub(in super::super) fn new(target: Target, settings: PoolSettings) -> Arc<Self> {
        Arc::new(Self {
            server: target.name(),
            target: Arc::new(target),
            connections: (0..settings.connections).map(|_| Arc::default()).collect(),
            next: AtomicUsize::new(0),
            timeout: settings.timeout,
            probe: settings.probe,
            placement: settings.placement,
            round_trip: RoundTrip::default(),
            attempts: watch::Sender::default(),
        })
    }

    /// Opens a new connection and verifies the server through it. If it answers, the connection
    /// takes the place of all the old ones, of which it is not known after an outage which are dead,
    /// and the rest of the pool is opened in the background.
    pub(in super::super) async fn connect(self: &Arc<Self>) -> Result<(), String> {
        self.connect_if(|_| Ok(())).await
    }

    /// Does the same after an outage, which is not over while a check would time out: if it were over
    /// for a few checks, and for the next as well, each would wait in vain.
    pub(in super::super) async fn renew(self: &Arc<Self>) -> Result<(), String> {
        let is_in_time = |took| {
            if took <= self.timeout {
                return Ok(());
            }
            Err(format!(
                "an answer takes {took:.1?}, and the timeout is {:?}",
                self.timeout
            ))
        };
        self.connect_if(is_in_time).await
    }

    /// Connects if the time that one answer takes is all right.
    async fn connect_if(
        self: &Arc<Self>,
        is_in_time: impl FnOnce(Duration) -> Result<(), String>,
    ) -> Result<(), String> {
        let budget = self.target.budget();
        let link = self.target.connect(budget).await?;
        let took = self.verify(&link, budget).await?;
        is_in_time(took)?;
        let Some((first, others)) = self.connections.split_first() else {
            return Ok(());
        };
        first.install(Arc::new(link));
        for connection in others {
            connection.close();
            self.reconnect(connection);
        }
        Ok(())
    }

    /// Checks that a server does what checks need, and tries out once where keys are. Returns how long
    /// one answer took.
    async fn verify(&self, link: &Link, budget: Budget) -> Result<Duration, String> {
        let verified = budget.run(self.send_probes(link.wire())).await;
        verified
            .unwrap_or_else(|_| Err(no_answer_in_time()))
            .map_err(|error| reason(&error))
    }

    /// Checks that the server at the other end of a further connection serves it and takes writes. A
    /// server that has as many clients as it may have does not, and behind a name or a balancer there
    /// may be a replica. While other connections work, no outage of the store would show that this
    /// one does not.
    async fn verify_write(&self, link: &Link, budget: Budget) -> Result<(), String> {
        let Some(Probe { write, removal, .. }) = (self.probe)() else {
            return Ok(());
        };
        let mut commands = redis::pipe();
        commands.add_command(write).add_command(removal);
        let mut wire = link.wire();
        let answers = budget.run(wire.send_all(&commands)).await;
        let answers = answers.unwrap_or_else(|_| Err(no_answer_in_time()));
        let extracted = answers.and_then(|answers| Value::Array(answers).extract_error());
        match extracted {
            Err(error) if !is_redirection(&error) => Err(reason(&error)),
            _ => Ok(()),
        }
    }

    async fn send_probes(&self, mut wire: Wire) -> Result<Duration, RedisError> {
        let probe = (self.probe)();
        let Some(Probe {
            write,
            removal,
            mut scripts,
        }) = probe
        else {
            return Ok(Duration::ZERO);
        };
        scripts.add_command(removal);
        // First and alone: an error to it says what is wrong, while a server that asks for a password
        // closes the connection at a command as long as a script.
        let sent_at = Instant::now();
        wire.send(&write).await?.extract_error()?;
        let took = sent_at.elapsed();
        self.round_trip.record(took);
        for answer in wire.send_all(&scripts).await? {
            answer.extract_error()?;
        }
        for n in 1..=TRIES {
            if self.placement() != Placement::Unknown {
                break;
            }
            let answers = wire.send_all(self.placement.commands()).await?;
            self.placement.conclude(answers, &self.server, n == TRIES)?;
        }
        Ok(took)
    }

    /// Returns host and port; no password is in it.
    pub(in super::super) fn server(&self) -> &str {
        &self.server
    }

    /// Returns how long an answer is waited for.
    pub(in super::super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Starts the budget of one command.
    pub(in super::super) fn budget(&self) -> Budget {
        Budget::start(self.timeout)
    }

    /// Returns which keys one script call can have.
    pub(in super::super) fn placement(&self) -> Placement {
        self.placement.verdict()
    }

    /// Returns which keys one script call can have, once a connection is open, by which that is
    /// found out.
    pub(in super::super) async fn find_placement(
        self: &Arc<Self>,
        budget: Budget,
    ) -> Result<Placement, RedisError> {
        if self.placement() == Placement::Unknown {
            let connection = self.connection();
            self.link_in_time(&connection, budget).await?;
        }
        Ok(self.placement())
    }

    /// Returns how long an answer takes at least.
    pub(in super::super) fn round_trip(&self) -> Duration {
        self.round_trip.get()
    }

    /// Notes that the server refused a call because its keys are in different places.
    pub(in super::super) fn restrict_placement(&self, placement: Placement) {
        self.placement.restrict_to(placement, &self.server);
    }

    /// Returns the connection whose turn it is, of those that are open if there are any.
    pub(in super::super) fn connection(self: &Arc<Self>) -> Arc<PooledConnection> {
        let count = self.connections.len();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        for n in 0..count {
            let connection = &self.connections[turn.wrapping_add(n) % count];
            if connection.is_open() {
                return connection.clone();
            }
            self.reconnect(connection);
        }
        self.connections[turn % count].clone()
    }

    /// Sends a command and waits for its answer.
    pub(in super::super) async fn send(
        self: &Arc<Self>,
        command: &Cmd,
        budget: Budget,
    ) -> Result<Value, RedisError> {
        let connection = self.connection();
        self.send_through(&connection, command, budget).await
    }

    /// Sends a command through one of the connections and waits for its answer.
    pub(in super::super) async fn send_through(
        self: &Arc<Self>,
        connection: &Arc<PooledConnection>,
        command: &Cmd,
        budget: Budget,
    ) -> Result<Value, RedisError> {
        self.ask(connection, budget, |mut wire| async move {
            wire.send(command).await
        })
        .await
    }

    /// Sends commands together and waits for their answers.
    pub(in super::super) async fn send_all(
        self: &Arc<Self>,
        commands: &Pipeline,
        budget: Budget,
    ) -> Result<Vec<Value>, RedisError> {
        let connection = self.connection();
        self.send_all_through(&connection, commands, budget).await
    }

    /// Sends commands together through one of the connections and waits for their answers.
    pub(in super::super) async fn send_all_through(
        self: &Arc<Self>,
        connection: &Arc<PooledConnection>,
        commands: &Pipeline,
        budget: Budget,
    ) -> Result<Vec<Value>, RedisError> {
        self.ask(connection, budget, |mut wire| async move {
            wire.send_all(commands).await
        })
        .await
    }

    async fn ask<T: Answer, F>(
        self: &Arc<Self>,
        connection: &Arc<PooledConnection>,
        budget: Budget,
        question: impl FnOnce(Wire) -> F,
    ) -> Result<T, RedisError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        // What is sent may be charged, also if the caller does not wait for the answer any more.
        if budget.is_spent() {
            return Err(no_answer_in_time());
        }
        let link = match connection.link() {
            Some(link) => link,
            // Boxed: it is rare, and its room would be part of every check's future.
            None => Box::pin(self.link_in_time(connection, budget)).await?,
        };
        let sent_at = Instant::now();
        let mut question = pin!(question(link.wire()));
        // A call for a lease is waited for long after the timeout: a link that is silent must not stay
        // in use for so long.
        let mut answer = budget.min(self.budget()).run(question.as_mut()).await;
        if answer.is_err() {
            if connection.count_unanswered() {
                self.reconnect(connection);
            }
            if !budget.is_spent() {
                answer = budget.run(question).await;
            }
        }
        match &answer {
            // An error that the server sends is an answer.
            Ok(Ok(answer)) => {
                self.round_trip.record(sent_at.elapsed());
                connection.count_answered();
                if answer.is_from_a_replica() {
                    // If all connections lead there, the last one stays, since its errors say why.
                    if self.has_other_than(connection) {
                        link.lose();
                    }
                    self.reconnect(connection);
                }
            }
            Ok(Err(error)) => {
                if error.is_unrecoverable_error() {
                    link.lose();
                    self.reconnect(connection);
                }
            }
            Err(_) => {}
        }
        answer.unwrap_or_else(|_| Err(no_answer_in_time()))
    }

    /// Waits until a connection is open.
    async fn link_in_time(
        self: &Arc<Self>,
        connection: &Arc<PooledConnection>,
        budget: Budget,
    ) -> Result<Arc<Link>, RedisError> {
        let link = budget.run(self.first_link(connection)).await;
        link.unwrap_or_else(|_| Err(no_answer_in_time()))
    }

    async fn first_link(
        self: &Arc<Self>,
        connection: &Arc<PooledConnection>,
    ) -> Result<Arc<Link>, RedisError> {
        let mut attempts = self.attempts.subscribe();
        loop {
            // Before the look: an attempt that ends after it is then seen to end.
            attempts.mark_unchanged();
            let mut others = self.connections.iter();
            let link = connection.link();
            if let Some(link) = link.or_else(|| others.find_map(|other| other.link())) {
                return Ok(link);
            }
            self.reconnect(connection);
            let ended = attempts.changed().await;
            if let (Ok(()), Attempt::Failed(reason)) = (ended, &*attempts.borrow()) {
                return Err(RedisError::from((
                    ErrorKind::Io,
                    NO_CONNECTION,
                    reason.to_string(),
                )));
            }
        }
    }

    /// Opens a link for a connection in the background, unless that is under way.
    fn reconnect(self: &Arc<Self>, connection: &Arc<PooledConnection>) {
        // Without a runtime nothing can be done here; the next command will see to it.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if let Some(connecting) = Connecting::begin(connection) {
            let task = open_link(Arc::downgrade(self), self.target.clone(), connecting);
            runtime.spawn(task);
        }
    }

    /// Opens connections in the background, unless that is done or under way.
    #[cfg(feature = "cluster")]
    pub(in super::super) fn open_in_background(self: &Arc<Self>) {
        for connection in &self.connections {
            if !connection.is_open() {
                self.reconnect(connection);
            }
        }
    }

    pub(in super::super) fn has_open_connection(&self) -> bool {
        self.connections
            .iter()
            .any(|connection| connection.is_open())
    }

    fn has_other_than(&self, connection: &Arc<PooledConnection>) -> bool {
        let mut others = self.connections.iter();
        others.any(|other| !Arc::ptr_eq(other, connection) && other.is_open())
    }

    /// Returns the error of a command that got no answer.
    pub(in super::super) fn failed(&self, error: &RedisError) -> StoreError {
        self.unavailable(&reason(error))
    }

    /// Returns the error of a server that does not answer.
    pub(in super::super) fn unavailable(&self, reason: &str) -> StoreError {
        StoreError::new(Explanation(format!("Redis at {}: {reason}", self.server)))
    }
}

/// Opens a link for a connection: once, or as often as it takes while other connections work, so
/// that the pool is whole again. If none works, the next check or the breaker's probe tries again.
async fn open_link(pool: Weak<Pool>, target: Arc<Target>, connecting: Connecting) {
    let mut pause = RETRY_MIN;
    loop {
        let budget = target.budget();
        let opened = target.connect(budget).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let opened = match opened {
            // The first of a pool that did not wait for Redis to come.
            Ok(link) if pool.placement() == Placement::Unknown => {
                pool.verify(&link, budget).await.map(|_| link)
            }
            // If it is the only one, the checks that wait for it find out, a round trip earlier.
            Ok(link) if pool.has_open_connection() => {
                pool.verify_write(&link, budget).await.map(|()| link)
            }
            opened => opened,
        };
        match opened {
            Ok(link) => {
                connecting.connection().install(Arc::new(link));
                drop(connecting);
                pool.attempts.send_replace(Attempt::Opened);
                return;
            }
            Err(reason) => {
                let is_needed = !connecting.connection().is_open();
                if !is_needed || !pool.has_open_connection() {
                    // First, as a check that hears of the attempt may want to make another one.
                    drop(connecting);
                    pool.attempts.send_replace(Attempt::Failed(reason.into()));
                    return;
                }
            }
        }
        drop(pool);
        tokio::time::sleep(pause).await;
        pause = RETRY_MAX.min(2 * pause);
    }
}
