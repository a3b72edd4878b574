//! What all subjects share: keys, folders, an upstream.

use std::{
    cell::OnceCell,
    net::TcpListener,
    path::{Path, PathBuf},
};

use keygate_storage_postgres::testing::PostgresServer;
use tempfile::TempDir;

use crate::{
    Failure, databases, keys, nginx_config,
    server::{LOAD_CORE, Server},
};

/// A folder with everything, gone when dropped.
pub(crate) struct World {
    folder: TempDir,
    /// Where the upstream of 100 bytes listens.
    pub(crate) upstream_port: u16,
    _upstream: Server,
    /// A PostgreSQL with the same keys, once it is asked for, and its URL.
    postgres: OnceCell<(PostgresServer, String)>,
}

impl World {
    pub(crate) fn make() -> Result<Self, Failure> {
        let folder = TempDir::new()?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let data = folder.path().join("data");
        let keys = folder.path().join("keys");
        runtime.block_on(keys::seed(&data, keys::HOT, keys::HOT, &keys))?;
        let upstream_port = free_port()?;
        let command = nginx_config::upstream(folder.path(), upstream_port)?;
        Ok(Self {
            upstream_port,
            _upstream: Server::start(LOAD_CORE, &command, upstream_port)?,
            folder,
            postgres: OnceCell::new(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder of a keygate that knows the keys.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The file with the keys that are in rotation, a line each.
    pub(crate) fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    pub(crate) fn postgres(&self) -> Result<&str, Failure> {
        if self.postgres.get().is_none() {
            // Nobody else is about it: it is no `Sync`.
            let _ = self.postgres.set(databases::start(&self.data())?);
        }
        let (_, url) = self.postgres.get().expect("it was just made");
        Ok(url)
    }

    pub(crate) fn read_keys(&self) -> Result<Vec<String>, Failure> {
        let text = std::fs::read_to_string(self.keys())?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

pub(crate) fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
