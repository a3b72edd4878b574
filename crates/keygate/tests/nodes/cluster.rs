use std::sync::LazyLock;

use keygate_storage_postgres::testing::PostgresServer;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    fault_proxy::FaultProxy,
    support::{Account, Program, Spawn, Upstream, free_port},
};

/// One server for all, one test at a time: what is measured here is disturbed by others.
static SERVER: LazyLock<Mutex<PostgresServer>> =
    LazyLock::new(|| Mutex::new(PostgresServer::start()));

/// Equal nodes over one database, each behind a proxy that can fail, and an account that all of them
/// know.
pub struct Cluster {
    pub nodes: Vec<Program>,
    pub proxies: Vec<FaultProxy>,
    pub account: Account,
    _upstream: Upstream,
    pub server: MutexGuard<'static, PostgresServer>,
    pub database: String,
}

impl Cluster {
    pub async fn start(nodes: usize) -> Self {
        Self::configured(nodes, "").await
    }

    /// Nodes with this text in their configuration files.
    pub async fn configured(nodes: usize, config: &str) -> Self {
        Self::open(nodes, config, None).await
    }

    /// Nodes that look so often whether all works.
    pub async fn probing(nodes: usize, interval: &'static str) -> Self {
        Self::open(nodes, "", Some(interval)).await
    }

    async fn open(nodes: usize, config: &str, status_interval: Option<&'static str>) -> Self {
        let server = SERVER.lock().await;
        let url = server.create_database();
        let database = url.rsplit('/').next().expect("a path");
        let database = database.split('?').next().expect("a name").to_owned();
        let upstream = Upstream::start().await;
        let mut proxies = Vec::new();
        let mut programs = Vec::new();
        for _ in 0..nodes {
            let proxy = FaultProxy::start(server.port()).await;
            let spawn = Spawn {
                upstream: Some(upstream.url()),
                port: free_port(),
                config: Some(config.to_owned()),
                database: Some(server.url(&database, proxy.port)),
                status_interval,
                ..Spawn::default()
            };
            let started = tokio::task::spawn_blocking(|| Program::start(spawn));
            programs.push(started.await.expect("it starts"));
            proxies.push(proxy);
        }
        let account = Account::create_admin(&programs[0]).await;
        Self {
            nodes: programs,
            proxies,
            account,
            _upstream: upstream,
            server,
            database,
        }
    }

    /// The account's session at another node.
    pub fn account_at(&self, node: usize) -> Account {
        self.account.at(&self.nodes[node].url)
    }
}
