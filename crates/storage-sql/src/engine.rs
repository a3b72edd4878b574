use std::{ops::Deref, sync::Arc};

use async_trait::async_trait;
use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use keygate_core::{Credential, key::KeyHash};
use keygate_storage::{ChangeListener, Concern, CredentialStore, Lease, Made, StorageError, Store};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;

use crate::{
    Ending, Read, Tx,
    undone::{Undone, ending},
};

/// A database, and how it is reached. What it is asked, [`SqlStore`] knows.
pub trait Engine: Send + Sync + 'static {
    /// Runs `work` in a transaction, again from the beginning where it gave way to another one; returns when it
    /// is durable and everybody in this process has been told what changed. Where `work` fails or says so, nothing
    /// of it is kept. Whoever stops waiting does not stop the work.
    fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut dyn Tx) -> BoxFuture<'a, Result<Ending<T>, StorageError>>
        + Clone
        + Send
        + 'static,
    ) -> impl Future<Output = Result<T, StorageError>> + Send;

    /// Runs what changes nothing, again where the connection turns out to be broken.
    fn read<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a mut dyn Read) -> BoxFuture<'a, Result<T, StorageError>>
        + Send
        + Sync
        + 'static,
    ) -> impl Future<Output = Result<T, StorageError>> + Send;

    /// As [`CredentialStore::lookup_credential`]: each engine has a way of its own for what is asked most.
    fn lookup_credential(
        &self,
        hash: KeyHash,
    ) -> impl Future<Output = Result<Option<Credential>, StorageError>> + Send;

    /// As [`Store::subscribe`].
    fn subscribe(&self, listener: Arc<dyn ChangeListener>);

    /// As [`Store::lease`].
    fn lease(&self) -> Arc<Lease>;

    /// As [`Store::register_metrics`].
    fn register_metrics(&self, registry: &mut Registry);

    /// As [`Store::concerns`].
    fn concerns(&self) -> Vec<Concern>;

    /// As [`Store::check`].
    fn check(&self) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// As [`Store::close`].
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// A store, whichever its engine.
pub struct SqlStore<E> {
    engine: E,
    /// How this process hashes keys, once the database is bound to it.
    pub(crate) fingerprint: Mutex<Option<String>>,
}

impl<E> From<E> for SqlStore<E> {
    fn from(engine: E) -> Self {
        Self {
            engine,
            fingerprint: Mutex::default(),
        }
    }
}

impl<E: Engine> SqlStore<E> {
    /// Makes a change that somebody asks for, who may do so by a session.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut dyn Tx) -> BoxFuture<'a, Result<T, Undone>>
        + Clone
        + Send
        + 'static,
    ) -> Result<Made<T>, StorageError> {
        let change = self.engine.write(move |tx| work(tx).map(ending).boxed());
        change.await
    }

    /// Writes what the program itself has to keep.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a mut dyn Tx) -> BoxFuture<'a, Result<T, StorageError>>
        + Clone
        + Send
        + 'static,
    ) -> Result<T, StorageError> {
        let write = self
            .engine
            .write(move |tx| work(tx).map_ok(Ending::Commit).boxed());
        write.await
    }
}

impl<E> Deref for SqlStore<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.engine
    }
}

#[async_trait]
impl<E: Engine> CredentialStore for SqlStore<E> {
    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError> {
        self.engine.lookup_credential(hash).await
    }
}

#[async_trait]
impl<E: Engine> Store for SqlStore<E> {
    fn subscribe(&self, listener: Arc<dyn ChangeListener>) {
        self.engine.subscribe(listener);
    }

    fn lease(&self) -> Arc<Lease> {
        self.engine.lease()
    }

    fn register_metrics(&self, registry: &mut Registry) {
        self.engine.register_metrics(registry);
    }

    fn concerns(&self) -> Vec<Concern> {
        self.engine.concerns()
    }

    async fn check(&self) -> Result<(), StorageError> {
        self.engine.check().await
    }

    async fn close(&self) {
        self.engine.close().await;
    }
}
