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
    PgConnection, PgPool, Postgres, SqlSafeStr,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    raw_sql,
};
use tokio::{runtime::Handle, time};

use crate::{PostgresOptions, error::unavailable};

/// Time enough to make a connection to a server that is far away.
const MIN_DEADLINE: Duration = Duration::from_secs(2);

/// Connections to the database.
///
/// A connection on which anything failed or took too long is thrown away, and with it all that were
/// made before: they lead to the same server.
#[derive(Clone)]
pub(crate) struct Database {
    pool: PgPool,
    deadline: Duration,
    failed_at: Arc<Mutex<Option<Instant>>>,
}

impl Database {
    /// Nothing is connected until it is needed.
    pub(crate) fn new(
        connect: PgConnectOptions,
        options: &PostgresOptions,
        size: u32,
        deadline: Duration,
    ) -> Self {
        let deadline = deadline.max(MIN_DEADLINE);
        let failed_at = Arc::<Mutex<Option<Instant>>>::default();
        let failed = failed_at.clone();
        let settings: Arc<str> = session_settings(options).into();
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(deadline)
            // What a ping would tell is found out by what the connection is wanted for.
            .test_before_acquire(false)
            .before_acquire(move |_, meta| {
                let made_at = Instant::now().checked_sub(meta.age);
                let is_trusted = failed.lock().is_none_or(|failed| made_at > Some(failed));
                async move { Ok(is_trusted) }.boxed()
            })
            .after_connect(move |connection, _| {
                let settings = settings.clone();
                async move {
                    let settings = sqlx::AssertSqlSafe(settings.to_string());
                    raw_sql(settings).execute(connection).await.map(|_| ())
                }
                .boxed()
            })
            .connect_lazy_with(connect);
        Self {
            pool,
            deadline,
            failed_at,
        }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) async fn borrow(&self) -> Result<Borrowed, StorageError> {
        if self.pool.is_closed() {
            return Err(StorageError::Closed);
        }
        let connection = self.pool.acquire().await.map_err(unavailable)?;
        Ok(Borrowed {
            connection: Some(connection),
            failed_at: self.failed_at.clone(),
            deadline: self.deadline,
            is_clean: false,
        })
    }

    /// A connection in a transaction. Where the first one that is tried turns out to be broken, a new
    /// one is made.
    pub(crate) async fn begin(&self, begin: &'static str) -> Result<Borrowed, StorageError> {
        let attempts = async {
            match self.begin_once(begin).await {
                Err(StorageError::Unavailable(_)) => self.begin_once(begin).await,
                first => first,
            }
        };
        self.in_time(attempts).await
    }

    async fn begin_once(&self, begin: &'static str) -> Result<Borrowed, StorageError> {
        let mut borrowed = self.borrow().await?;
        let done = raw_sql(begin).execute(&mut *borrowed).await;
        done.map_err(unavailable)?;
        Ok(borrowed)
    }

    /// Runs a query that changes nothing; once more where it fails, for the connection may have been
    /// broken.
    pub(crate) async fn read<T>(
        &self,
        work: impl for<'a> Fn(&'a mut PgConnection) -> BoxFuture<'a, Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let once = async || {
            let mut borrowed = self.borrow().await?;
            let read = work(&mut borrowed).await?;
            borrowed.is_clean = true;
            Ok(read)
        };
        let attempts = async {
            match once().await {
                Err(StorageError::Unavailable(_)) => once().await,
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
        let done = time::timeout(self.deadline, work).await;
        done.unwrap_or_else(|_| {
            let why = format!("no answer within {} ms", self.deadline.as_millis());
            Err(StorageError::unavailable(why))
        })
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// What holds for each connection. A commit is on the disk before it is acknowledged, whatever the
/// server's default says or comes to say. A standby does not know what was just acknowledged.
fn session_settings(options: &PostgresOptions) -> String {
    format!(
        "DO $$ BEGIN IF pg_is_in_recovery() THEN \
             RAISE EXCEPTION 'this server is a standby'; END IF; END $$; \
         SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; \
         SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
             WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)",
        options.statement_timeout.as_millis(),
        options.lock_timeout.as_millis(),
        (options.statement_timeout * 2).as_millis(),
    )
}

/// A connection, which goes back if what it was borrowed for is known to have ended well.
pub(crate) struct Borrowed {
    connection: Option<PoolConnection<Postgres>>,
    failed_at: Arc<Mutex<Option<Instant>>>,
    deadline: Duration,
    is_clean: bool,
}

impl Borrowed {
    /// Ends the transaction by these statements, which are sent as one.
    pub(crate) async fn end(&mut self, end: impl SqlSafeStr) -> Result<(), StorageError> {
        raw_sql(end)
            .execute(&mut **self)
            .await
            .map_err(unavailable)?;
        self.is_clean = true;
        Ok(())
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
        if !self.is_clean {
            *self.failed_at.lock() = Some(Instant::now());
            connection.close_on_drop();
        } else if let Ok(runtime) = Handle::try_current() {
            // It is asked whether it is well before it goes back, and may not answer. What is then
            // dropped is closed.
            runtime.spawn(time::timeout(self.deadline, async move {
                connection.return_to_pool().await;
            }));
        }
    }
}
