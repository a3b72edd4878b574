//! Connections, and when one is no longer trusted.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use keygate_storage::StorageError;
use parking_lot::Mutex;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Error, PgConnection, PgPool, Postgres, Row, SqlSafeStr,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    raw_sql,
};
use tokio::{runtime::Handle, time};

use crate::{
    PostgresOptions,
    error::{leaves_connection_usable, storage_error},
    shares::{Place, Purpose, Shares},
};

/// Time enough to make a connection to a server that is far away.
const MIN_DEADLINE: Duration = Duration::from_secs(2);

/// How much longer than the server's own timeouts it may take until their answer is here. What ends
/// by the server's word leaves the connection as it was.
const GRACE: Duration = Duration::from_millis(500);

/// Connections to the database.
///
/// A connection that failed or was silent for too long is thrown away, and with it all that were made
/// before: they lead to the same server. An error that the server answers with is none of these.
#[derive(Clone)]
pub(crate) struct Database {
    pool: PgPool,
    shares: Shares,
    deadline: Duration,
    failed_at: Arc<Mutex<Option<Instant>>>,
    settings: Arc<str>,
    /// Held by who asks why there is no connection.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl Database {
    /// Nothing is connected until it is needed.
    pub(crate) fn new(
        connect: PgConnectOptions,
        options: &PostgresOptions,
        size: u32,
        deadline: Duration,
    ) -> Self {
        let timeout = deadline.max(MIN_DEADLINE);
        let failed_at = Arc::<Mutex<Option<Instant>>>::default();
        let failed = failed_at.clone();
        let settings: Arc<str> = session_settings(options).into();
        let prepared = settings.clone();
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(timeout)
            // What a ping would tell is found out by what the connection is wanted for.
            .test_before_acquire(false)
            .before_acquire(move |_, meta| {
                let made_at = Instant::now().checked_sub(meta.age);
                let is_trusted = failed.lock().is_none_or(|failed| made_at > Some(failed));
                async move { Ok(is_trusted) }.boxed()
            })
            .after_connect(move |connection, _| {
                let settings = prepared.clone();
                async move { prepare(connection, &settings).await }.boxed()
            })
            .connect_lazy_with(connect);
        Self {
            pool,
            shares: Shares::of(size),
            deadline: timeout + GRACE,
            failed_at,
            settings,
            asking: Arc::default(),
        }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn shares(&self) -> &Shares {
        &self.shares
    }

    /// By when what begins now has to be answered.
    pub(crate) fn deadline(&self) -> time::Instant {
        time::Instant::now() + self.deadline
    }

    pub(crate) async fn borrow_for(&self, purpose: Purpose) -> Result<Borrowed, StorageError> {
        if self.pool.is_closed() {
            return Err(StorageError::Closed);
        }
        let place = self.shares.take(purpose).await?;
        let connection = self.acquire().await?;
        Ok(Borrowed {
            connection: Some(connection),
            place,
            failed_at: self.failed_at.clone(),
            deadline: self.deadline,
            backend: None,
            is_usable: false,
        })
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, StorageError> {
        let most = self.pool.options().get_max_connections();
        match self.pool.acquire().await {
            Err(Error::PoolTimedOut) if self.pool.size() < most => Err(self.refusal().await),
            acquired => acquired.map_err(storage_error),
        }
    }

    /// Why no connection can be made. The pool tries until its time is over, and then says only that
    /// it is. One at a time asks, for a server that has no connection left has none for asking.
    async fn refusal(&self) -> StorageError {
        let timed_out = || storage_error(Error::PoolTimedOut);
        let Ok(_asking) = self.asking.try_lock() else {
            return timed_out();
        };
        let made = async {
            let mut connection = self.pool.connect_options().connect().await?;
            prepare(&mut connection, &self.settings).await
        };
        made.await.map_or_else(storage_error, |()| timed_out())
    }

    /// A connection in a transaction. Where the first one that is tried turns out to be broken, a new
    /// one is made.
    pub(crate) async fn begin(&self, statement: &'static str) -> Result<Borrowed, StorageError> {
        let begun = self.begin_for(Purpose::Lookup, statement);
        self.in_time(begun).await
    }

    /// The same, with what it is for, and without a deadline.
    pub(crate) async fn begin_for(
        &self,
        purpose: Purpose,
        statement: &'static str,
    ) -> Result<Borrowed, StorageError> {
        // Whatever a session says that cannot even begin, it is not to be used.
        let once = async || {
            let mut borrowed = self.borrow_for(purpose).await?;
            let begun = borrowed.begin(statement).await;
            Ok(begun.map(|()| borrowed))
        };
        match once().await? {
            Err(_) => once().await?,
            begun => begun,
        }
    }

    /// Runs a query that changes nothing; once more where its connection turns out to be broken.
    pub(crate) async fn read<T>(
        &self,
        work: impl for<'a> Fn(&'a mut PgConnection) -> BoxFuture<'a, Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        self.read_for(Purpose::Read, work).await
    }

    /// The same, with what it is for.
    pub(crate) async fn read_for<T>(
        &self,
        purpose: Purpose,
        work: impl for<'a> Fn(&'a mut PgConnection) -> BoxFuture<'a, Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let once = async || {
            let mut borrowed = self.borrow_for(purpose).await?;
            let read = work(&mut borrowed).await;
            borrowed.is_usable = read.as_ref().err().is_none_or(leaves_connection_usable);
            Ok(read)
        };
        let attempts = async {
            match once().await? {
                Err(error) if !leaves_connection_usable(&error) => once().await?,
                first => first,
            }
        };
        self.in_time(attempts).await
    }

    /// Gives up when the deadline is over.
    pub(crate) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let done = time::timeout_at(self.deadline(), work).await;
        done.unwrap_or_else(|_| Err(StorageError::unavailable(self.silence())))
    }

    /// What is said of a server that says nothing.
    pub(crate) fn silence(&self) -> String {
        format!("no answer within {} ms", self.deadline.as_millis())
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn prepare(connection: &mut PgConnection, settings: &str) -> Result<(), Error> {
    let settings = AssertSqlSafe(settings.to_owned());
    raw_sql(settings).execute(connection).await.map(|_| ())
}

/// What holds for each connection. A commit is on the disk before it is acknowledged, whatever the
/// server's default says or comes to say. A standby does not know what was just acknowledged.
fn session_settings(options: &PostgresOptions) -> String {
    format!(
        "DO $$ BEGIN IF pg_is_in_recovery() THEN \
             RAISE EXCEPTION 'this server is a standby' USING ERRCODE = 'read_only_sql_transaction'; \
         END IF; END $$; \
         SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; \
         SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
             WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)",
        options.statement_timeout.as_millis(),
        options.lock_timeout.as_millis(),
        (options.statement_timeout * 2).as_millis(),
    )
}

/// A connection, which goes back where it is known to be usable for somebody else.
pub(crate) struct Borrowed {
    connection: Option<PoolConnection<Postgres>>,
    place: Place,
    failed_at: Arc<Mutex<Option<Instant>>>,
    deadline: Duration,
    /// The server's process that is about its transaction.
    backend: Option<i32>,
    is_usable: bool,
}

impl Borrowed {
    /// The server's process that is about its transaction, if it has begun one.
    pub(crate) fn backend(&self) -> Option<i32> {
        self.backend
    }

    async fn begin(&mut self, statement: &'static str) -> Result<(), StorageError> {
        let sql = format!("{statement}; SELECT pg_backend_pid() AS backend");
        let begun = raw_sql(AssertSqlSafe(sql)).fetch_one(&mut **self).await;
        self.backend = begun
            .and_then(|row| row.try_get("backend"))
            .map_err(storage_error)?;
        Ok(())
    }

    /// Ends the transaction by these statements, which are sent as one. Where the server refuses, the
    /// transaction is still to be rolled back.
    pub(crate) async fn end(&mut self, end: impl SqlSafeStr) -> Result<(), StorageError> {
        let ended = raw_sql(end).execute(&mut **self).await;
        ended.map_err(storage_error)?;
        self.is_usable = true;
        Ok(())
    }

    /// Takes the connection away from whoever waits for it, but not its place: the server has not
    /// ended what it was asked to do.
    pub(crate) fn abandon(mut self) -> Place {
        std::mem::take(&mut self.place)
    }
}

impl Deref for Borrowed {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection
            .as_ref()
            .expect("it is there until the drop")
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection
            .as_mut()
            .expect("it is there until the drop")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if !self.is_usable {
            *self.failed_at.lock() = Some(Instant::now());
            connection.close_on_drop();
        } else if let Ok(runtime) = Handle::try_current() {
            let place = std::mem::take(&mut self.place);
            // It is asked whether it is well before it goes back, and may not answer. What is then
            // dropped is closed.
            runtime.spawn(time::timeout(self.deadline, async move {
                connection.return_to_pool().await;
                drop(place);
            }));
        }
    }
}

#[cfg(test)]
mod tests;
