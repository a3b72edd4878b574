//! How long a revoked key lives on the other nodes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::watch;

use crate::{
    cluster::Cluster,
    fault_proxy::Fault,
    support::{Caller, eventually},
};

/// How many clients ask each of the other nodes.
const CLIENTS: usize = 2;

/// A key, and what the clients of the other nodes found.
struct Round {
    key: String,
    accepted: AtomicU64,
    /// When the last call began that was let in, in microseconds since the test's beginning.
    last_accepted: AtomicU64,
    refused: AtomicU64,
}

impl Round {
    fn new(key: String) -> Arc<Self> {
        Arc::new(Self {
            key,
            accepted: 0.into(),
            last_accepted: 0.into(),
            refused: 0.into(),
        })
    }
}

fn micros(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_micros()).expect("a short test")
}

async fn verify(url: String, epoch: Instant, mut rounds: watch::Receiver<Arc<Round>>) {
    let mut caller = Caller::connect(&url).await;
    loop {
        let round = rounds.borrow_and_update().clone();
        loop {
            let began = micros(epoch);
            match caller.call(&round.key).await.expect("it stays open") {
                200 => {
                    round.accepted.fetch_add(1, Ordering::SeqCst);
                    round.last_accepted.fetch_max(began, Ordering::SeqCst);
                }
                401 => break,
                other => panic!("status {other}"),
            }
        }
        for _ in 0..3 {
            let status = caller.call(&round.key).await.expect("it stays open");
            assert_eq!(status, 401, "let in again after it was refused");
        }
        round.refused.fetch_add(1, Ordering::SeqCst);
        if rounds.changed().await.is_err() {
            return;
        }
    }
}

/// Revokes keys on the first node; how long each was still let in elsewhere, shortest first.
async fn lags(cluster: &Cluster, revocations: usize) -> Vec<Duration> {
    let epoch = Instant::now();
    let (mut id, key) = cluster.account.key(&["read"]).await;
    let (sender, receiver) = watch::channel(Round::new(key));
    let clients: Vec<_> = cluster.nodes[1..]
        .iter()
        .flat_map(|node| std::iter::repeat_n(node.url.clone(), CLIENTS))
        .map(|url| tokio::spawn(verify(url, epoch, receiver.clone())))
        .collect();
    let everybody = u64::try_from(clients.len()).expect("a small number");
    let mut lags = Vec::new();
    for number in 0..revocations {
        let round = sender.borrow().clone();
        let busy = async || round.accepted.load(Ordering::SeqCst) >= 2 * everybody;
        eventually("the key is in use", busy).await;
        let answer = if number % 2 == 0 {
            let off = json!({"is_active": false});
            cluster.account.patch(&id, &off).await
        } else {
            cluster.account.delete(&id).await
        };
        let acknowledged = micros(epoch);
        assert_eq!(answer.status(), 200);
        let known = async || round.refused.load(Ordering::SeqCst) == everybody;
        eventually("the revocation is known to all", known).await;
        let last = round.last_accepted.load(Ordering::SeqCst);
        lags.push(Duration::from_micros(last.saturating_sub(acknowledged)));
        if number % 2 == 0 {
            cluster.account.delete(&id).await;
        }
        let (next_id, key) = cluster.account.key(&["read"]).await;
        id = next_id;
        sender.send_replace(Round::new(key));
    }
    // What nobody revokes is never refused.
    assert_eq!(cluster.account.delete(&id).await.status(), 200);
    drop(sender);
    for client in clients {
        client.await.expect("no connection failed");
    }
    lags.sort_unstable();
    lags
}

#[expect(clippy::print_stdout, reason = "it says what it has measured")]
fn say(what: &str, lags: &[Duration]) {
    let (median, longest) = (lags[lags.len() / 2], lags[lags.len() - 1]);
    println!(
        "{what}: {} revocations, median {median:?}, longest {longest:?}",
        lags.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_revoked_on_one_of_three_nodes_is_refused_by_all_within_a_second() {
    let cluster = Cluster::start(3).await;
    let lags = lags(&cluster, 1_000).await;
    say("three nodes", &lags);
    assert!(lags[lags.len() - 1] <= Duration::from_secs(1));
    assert!(lags[lags.len() / 2] <= Duration::from_millis(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_so_too_where_notifications_get_lost() {
    let cluster = Cluster::start(3).await;
    for proxy in &cluster.proxies {
        proxy.set(Fault::NoNotifications);
    }
    let lags = lags(&cluster, 40).await;
    say("three nodes without notifications", &lags);
    assert!(lags[lags.len() - 1] <= Duration::from_millis(1_500));
}
