//! The backend for several nodes: they share one PostgreSQL, in which all of them are equal.
//!
//! What one node changes, it tells the others by the change feed, in the same transaction. Each
//! node holds a lease on what it has in memory, which it renews by reading the feed to its end.

mod capacity;
mod database;
mod error;
mod feed;
mod inspection;
mod migrations;
mod moving;
mod pooling;
mod probe;
mod query;
mod requirements;
mod row;
mod shares;
mod statements;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod tx;
mod usage_lock;
mod watch;
mod write;

use std::{str::FromStr, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use keygate_core::{Clock, Credential, MONOTONIC_LAG, key::KeyHash};
use keygate_storage::{
    ChangeListener, ChangeListeners, Concern, Concerns, FeedMetrics, FeedReader, Latencies, Lease,
    Operation, StorageError, patiently,
};
use keygate_storage_sql::{Ending, Engine, Read, SqlStore, Tx, lookup_credential};
use prometheus_client::registry::Registry;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};
use tokio::{sync::Notify, task::JoinHandle};

use database::Database;
use feed::Feed;
use probe::WriteProof;
use shares::Purpose;
use tx::Reading;
use watch::Watch;
use write::Write;

pub use capacity::Capacity;
pub use inspection::{Inspection, identity};
pub use moving::{PostgresReader, PostgresTarget, TargetError};
pub use watch::LossRisk;

/// How the database is reached and used.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:port/database?sslmode=…`; what is left out comes from the
    /// `PG…` variables and the password file that `libpq` reads.
    pub url: String,
    /// How many connections are made at most, besides two for the feed. Half of them may write, and a
    /// fifth is kept for look-ups.
    pub pool_size: u32,
    /// How long a statement may take, waiting for the server's answer included.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long what was read may be used after the feed was last read to its end.
    pub lease: Duration,
    /// How long it may be used while the database is away; zero where keys are refused then.
    pub max_stale: Duration,
}

impl PostgresOptions {
    /// The defaults for the database at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_size: 10,
            statement_timeout: Duration::from_secs(2),
            lock_timeout: Duration::from_secs(1),
            lease: Duration::from_secs(1),
            max_stale: Duration::ZERO,
        }
    }

    /// How many connections a node makes at most: the pool's, and those on which it reads the feed
    /// and listens for it.
    pub const fn connections(&self) -> u32 {
        self.pool_size + FEED_CONNECTIONS + LISTENING_CONNECTIONS
    }

    /// Whether the URL is one.
    pub fn is_valid(&self) -> bool {
        self.connect().is_ok()
    }

    /// Names the database, without its password: `host:port/database`.
    pub fn name(&self) -> String {
        self.connect().map_or_else(
            |_| "postgres".into(),
            |options| {
                let (host, port) = (options.get_host(), options.get_port());
                format!(
                    "{host}:{port}/{}",
                    options.get_database().unwrap_or_default()
                )
            },
        )
    }

    fn connect(&self) -> Result<PgConnectOptions, sqlx::Error> {
        // The library would say them in the log, with their values.
        let (_, parameters) = self.url.split_once('?').unwrap_or_default();
        let mut names = parameters
            .split('&')
            .map(|pair| pair.split('=').next().unwrap_or(pair));
        if names.any(|name| !name.is_empty() && !PARAMETERS.contains(&name)) {
            return Err(sqlx::Error::Configuration("an unknown parameter".into()));
        }
        let options = PgConnectOptions::from_str(&self.url)?;
        Ok(options
            .application_name("keygate")
            // Who has to know hears of it by the error.
            .disable_statement_logging()
            // pgbouncer knows few parameters at the start of a session, and this is none of them.
            .extra_float_digits(None))
    }
}

/// What may stand behind the question mark of a URL.
const PARAMETERS: [&str; 5] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "options"];

/// The feed has one connection that reads and one that listens.
const FEED_CONNECTIONS: u32 = 1;
const LISTENING_CONNECTIONS: u32 = 1;

/// What is kept in a PostgreSQL database that several processes may have open.
pub type PostgresStore = SqlStore<PostgresEngine>;

/// PostgreSQL as an engine.
pub struct PostgresEngine {
    database: Database,
    feed: Feed,
    listeners: Arc<ChangeListeners>,
    lease: Arc<Lease>,
    term: Duration,
    tasks: Vec<JoinHandle<()>>,
    latencies: Latencies,
    feed_metrics: FeedMetrics,
    concerns: Arc<Concerns>,
    proof: WriteProof,
}

/// Opens the database and brings its schema up to date.
///
/// Fails, changing nothing, where it does not answer, is that of another program, or was written
/// by a later version on which this one does not run.
pub async fn open(
    options: &PostgresOptions,
    clock: Arc<dyn Clock>,
) -> Result<PostgresStore, StorageError> {
    let connect = options.connect().map_err(error::storage_error)?;
    let of_size = |size| Database::new(connect.clone(), options, size, options.statement_timeout);
    pooling::refuse_shared_sessions(options).await?;
    let database = of_size(options.pool_size);
    let concerns = database.shares().concerns().clone();
    let name = options.name();
    database
        .read(|db| {
            let name = name.clone();
            async move { requirements::require_for_node(db, &name).await }.boxed()
        })
        .await?;
    migrations::run(&database, &name).await?;
    let mut watch = Watch::new(database.clone(), clock.clone(), concerns.clone());
    if let Err(error) = watch.look_once().await {
        tracing::warn!(%error, "whether the database server can lose what it acknowledges is not known yet");
    }
    capacity::look(&database, options.connections(), &concerns).await?;
    let of_feed = {
        let options = options.clone();
        move || Database::new(connect.clone(), &options, FEED_CONNECTIONS, options.lease)
    };
    let feed = Feed(of_feed());
    let end = async || feed.end().await;
    let position = patiently("reading the change feed", StorageError::may_pass, end).await?;
    let listeners = Arc::<ChangeListeners>::default();
    let lease = Arc::new(Lease::new(clock.clone(), options.lease, options.max_stale));
    let wake = Arc::new(Notify::new());
    let reader = FeedReader::new(
        feed.clone(),
        position,
        listeners.clone(),
        lease.clone(),
        options.lease,
        clock,
        concerns.clone(),
    );
    let feed_metrics = reader.metrics();
    let tasks = vec![
        tokio::spawn(reader.run(wake.clone())),
        tokio::spawn(feed::listen(of_feed, wake)),
        tokio::spawn(feed::forget_regularly(database.clone())),
        tokio::spawn(watch.run()),
    ];
    let engine = PostgresEngine {
        database,
        feed,
        listeners,
        lease,
        term: options.lease,
        tasks,
        latencies: Latencies::default(),
        feed_metrics,
        concerns,
        proof: WriteProof::default(),
    };
    Ok(engine.into())
}

impl PostgresEngine {
    /// Runs `work` in a transaction, in a task of its own: whoever stops waiting does not stop the work.
    async fn in_transaction<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut Write) -> BoxFuture<'a, Result<Ending<T>, StorageError>>
        + Clone
        + Send
        + 'static,
    ) -> Result<T, StorageError> {
        let (database, listeners) = (self.database.clone(), self.listeners.clone());
        let written = in_task(async move { write::run(&database, &listeners, work).await });
        self.latencies.time(Operation::Write, written).await
    }

    /// What reads, in a task of its own: a connection that is left in the middle of an answer would have to be
    /// thrown away.
    async fn query<T: Send + 'static>(
        &self,
        purpose: Purpose,
        work: impl for<'a> Fn(&'a mut dyn Read) -> BoxFuture<'a, Result<T, StorageError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, StorageError> {
        let (database, work) = (self.database.clone(), Arc::new(work));
        let query = async move {
            let read = database.read_for(purpose, |db| {
                let work = work.clone();
                async move { work(&mut Reading(db)).await }.boxed()
            });
            read.await
        };
        in_task(query).await
    }
}

/// Begins the work at once. Whoever waits for it holds none of it.
fn in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
) -> impl Future<Output = Result<T, StorageError>> {
    let task = tokio::spawn(work);
    async { task.await.map_err(StorageError::internal)? }
}

impl Drop for PostgresEngine {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Engine for PostgresEngine {
    async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut dyn Tx) -> BoxFuture<'a, Result<Ending<T>, StorageError>>
        + Clone
        + Send
        + 'static,
    ) -> Result<T, StorageError> {
        self.in_transaction(move |write| work(write)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a mut dyn Read) -> BoxFuture<'a, Result<T, StorageError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, StorageError> {
        let read = self.query(Purpose::Read, work);
        self.latencies.time(Operation::Read, read).await
    }

    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError> {
        let found = self.query(Purpose::Lookup, move |db| {
            lookup_credential(db, hash).boxed()
        });
        // What comes later than that is too old to be used.
        let found = tokio::time::timeout(self.term.saturating_sub(MONOTONIC_LAG), found);
        let found = self.latencies.time(Operation::Lookup, found).await;
        found.unwrap_or_else(|_| Err(StorageError::Unavailable("no answer in time".into())))
    }

    fn subscribe(&self, listener: Arc<dyn ChangeListener>) {
        self.listeners.subscribe(listener);
    }

    fn lease(&self) -> Arc<Lease> {
        self.lease.clone()
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.latencies.register(registry);
        self.feed_metrics.clone().register(registry);
        self.concerns.register(registry);
    }

    fn concerns(&self) -> Vec<Concern> {
        self.concerns.list()
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.probe().await
    }

    async fn close(&self) {
        for task in &self.tasks {
            task.abort();
        }
        self.feed.0.close().await;
        self.database.close().await;
    }
}
