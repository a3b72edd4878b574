//! Nodes that are replaced one by one, behind a balancer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time};

use crate::{balancer::balancer, cluster::Cluster, support::Caller};

/// `ROUNDS=100` for the long run.
const ROUNDS: usize = 6;
/// How many clients there are, each with fifty calls a second.
const CLIENTS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_nodes_are_replaced() {
    let mut cluster = Cluster::configured(3, "[server]\ndrain_delay = \"500ms\"\n").await;
    let (_, key) = cluster.account.key(&["read"]).await;
    let balancer = balancer(&cluster);
    let over = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (url, key) = (balancer.url.clone(), key.clone());
        let (over, answered) = (over.clone(), answered.clone());
        clients.spawn(async move {
            let mut caller = Caller::connect(&url).await;
            let mut pace = time::interval(Duration::from_millis(20));
            while !over.load(Ordering::SeqCst) {
                pace.tick().await;
                let status = caller.call(&key).await.expect("no connection is broken");
                assert_eq!(status, 200);
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let rounds = std::env::var("ROUNDS").map(|rounds| rounds.parse().expect("a number"));
    for round in 0..rounds.unwrap_or(ROUNDS) {
        let mut node = cluster.nodes.remove(0);
        let restarted = tokio::task::spawn_blocking(move || {
            assert!(node.terminate().success());
            node.restart()
        });
        cluster
            .nodes
            .push(restarted.await.expect("it starts again"));
        assert!(clients.try_join_next().is_none(), "round {round}");
        // The balancer has to see that it is back before the next one goes.
        let seen = answered.load(Ordering::SeqCst) + 500;
        while answered.load(Ordering::SeqCst) < seen {
            assert!(clients.try_join_next().is_none(), "round {round}");
            tokio::task::yield_now().await;
        }
    }
    over.store(true, Ordering::SeqCst);
    while let Some(client) = clients.join_next().await {
        client.expect("no call failed");
    }
}
