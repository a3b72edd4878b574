//! A synchronous standby that is away: no change is acknowledged, and keys are checked as before.

use std::time::Duration;

use keygate_storage_postgres::testing::PostgresServer;
use tokio::time;

use crate::{
    balancer::balancer,
    cluster::Cluster,
    fault_proxy::Fault,
    support::{Caller, eventually},
};

/// A server that waits for a standby which there is not, until this is dropped.
struct Away<'a>(&'a PostgresServer);

impl<'a> Away<'a> {
    fn begin(server: &'a PostgresServer) -> Self {
        wait_for(server, "nobody");
        Self(server)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        wait_for(self.0, "");
    }
}

fn wait_for(server: &PostgresServer, standby: &str) {
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'");
    server.sql("postgres", &set);
    server.sql("postgres", "SELECT pg_reload_conf()");
}

/// What a node answers to somebody who asks whether it is ready.
async fn ready(url: &str, path: &str) -> u16 {
    let answer = reqwest::get(format!("{url}/readyz{path}")).await;
    answer.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_standby_is_away_nodes_are_not_ready_and_the_balancer_has_them_check_keys() {
    let cluster = Cluster::start(3).await;
    let (_, key) = cluster.account.key(&["read"]).await;
    let balancer = balancer(&cluster);
    let mut caller = Caller::connect(&balancer.url).await;
    let up = async || caller.call(&key).await.is_ok_and(|status| status == 200);
    eventually("the balancer has found a node", up).await;
    let away = Away::begin(&cluster.server);
    for node in &cluster.nodes {
        let seen = async || ready(&node.url, "").await == 503;
        eventually("it is seen that no change is acknowledged", seen).await;
        assert_eq!(ready(&node.url, "/checks").await, 200);
    }
    // For as long as the balancer takes to ask each of them ten times.
    let mut pace = time::interval(Duration::from_millis(20));
    for _ in 0..100 {
        pace.tick().await;
        let status = caller.call(&key).await.expect("no connection is broken");
        assert_eq!(status, 200);
    }
    drop(away);
    for node in &cluster.nodes {
        let ready = async || ready(&node.url, "").await == 200;
        eventually("changes are acknowledged again", ready).await;
    }
    cluster.proxies[0].set(Fault::Dropping);
    let url = &cluster.nodes[0].url;
    let lost = async || ready(url, "/checks").await == 503;
    eventually("a node that cannot look keys up says so", lost).await;
}
