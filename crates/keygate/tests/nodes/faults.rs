//! What a node does that has lost its database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    cluster::Cluster,
    fault_proxy::Fault,
    support::{Caller, eventually},
};

/// The default lease, and what is added to it for a call to get there.
const LAST_ACCEPTANCE: Duration = Duration::from_millis(1_500);
/// How long a node may take to be itself again.
const RECOVERY: Duration = Duration::from_secs(5);

/// A call that was answered: when it began, and how.
type Call = (Instant, u16);

/// Calls two hundred times a second until it is over.
fn call_until(
    url: &str,
    key: &str,
    is_over: impl Fn() -> bool + Send + 'static,
) -> JoinHandle<Vec<Call>> {
    let (url, key) = (url.to_owned(), key.to_owned());
    tokio::spawn(async move {
        let mut calls = Vec::new();
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        let mut caller = Caller::connect(&url).await;
        while !is_over() {
            pace.tick().await;
            let began = Instant::now();
            calls.push((began, caller.call(&key).await.expect("an answer")));
        }
        calls
    })
}

async fn status(url: &str, key: &str) -> u16 {
    let mut caller = Caller::connect(url).await;
    caller.call(key).await.expect("an answer")
}

/// One of two nodes loses its database in some way. A key that it knows is then revoked at the other.
async fn a_node_that_is_cut_off(fault: Fault) {
    let cluster = Cluster::start(2).await;
    let (id, revoked) = cluster.account.key(&["read"]).await;
    let (_, good) = cluster.account.key(&["read"]).await;
    let url = &cluster.nodes[1].url;
    for key in [&revoked, &good] {
        assert_eq!(status(url, key).await, 200);
    }
    cluster.proxies[1].set(fault);
    let end = Instant::now() + Duration::from_secs(4);
    let calls = [&revoked, &good].map(|key| call_until(url, key, move || Instant::now() > end));
    assert_eq!(cluster.account.delete(&id).await.status(), 200);
    let acknowledged = Instant::now();
    let [revoked_calls, good_calls] = calls;
    let revoked_calls = revoked_calls.await.expect("no panic");
    let good_calls = good_calls.await.expect("no panic");
    for (began, status) in &revoked_calls {
        let after = began.saturating_duration_since(acknowledged);
        match status {
            200 => assert!(after <= LAST_ACCEPTANCE, "let in {after:?} after"),
            401 | 503 => {}
            other => panic!("{other} {after:?} after"),
        }
    }
    assert!(good_calls.iter().any(|(_, status)| *status == 503));
    assert!(
        good_calls
            .iter()
            .all(|(_, status)| [200, 503].contains(status))
    );

    cluster.proxies[1].set(Fault::None);
    let healed = Instant::now();
    eventually("the node is itself again", async || {
        status(url, &good).await == 200
    })
    .await;
    assert_eq!(status(url, &revoked).await, 401);
    let hears = async || {
        cluster.nodes[1]
            .log()
            .contains("the change feed is read again")
    };
    eventually("it reads the feed again", hears).await;
    assert!(healed.elapsed() < RECOVERY, "{:?}", healed.elapsed());
    // And goes by it: what is in memory is let in again, and forgotten when it is revoked elsewhere.
    let (id, another) = cluster.account.key(&["read"]).await;
    assert_eq!(status(url, &another).await, 200);
    assert_eq!(cluster.account.delete(&id).await.status(), 200);
    let known = async || status(url, &another).await == 401;
    eventually("it hears of revocations", known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_database_stands_still_lets_no_revoked_key_in() {
    a_node_that_is_cut_off(Fault::Stopped).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_packets_are_dropped_lets_no_revoked_key_in() {
    a_node_that_is_cut_off(Fault::Dropping).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_connections_are_broken_lets_no_revoked_key_in() {
    a_node_that_is_cut_off(Fault::Broken).await;
}

/// Sessions of the database that are killed are made anew, and nobody notices but by a 503 at worst.
#[tokio::test(flavor = "multi_thread")]
async fn killed_sessions_are_made_anew() {
    let cluster = Cluster::start(2).await;
    let (_, good) = cluster.account.key(&["read"]).await;
    let url = &cluster.nodes[1].url;
    assert_eq!(status(url, &good).await, 200);
    for _ in 0..20 {
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE application_name = 'keygate'";
        cluster.server.sql(&cluster.database, kill);
        assert_eq!(status(url, &good).await, 200, "it is in memory");
        let (id, key) = cluster.account.key(&["read"]).await;
        assert_eq!(status(url, &key).await, 200, "it is looked up");
        assert_eq!(cluster.account.delete(&id).await.status(), 200);
    }
}

/// A call, its status, and whether its answer says that it goes by old memory.
async fn answer(url: &str, key: &str) -> (u16, bool) {
    let call = reqwest::Client::new().get(format!("{url}/v1/models"));
    let answer = call.bearer_auth(key).send().await.expect("an answer");
    let is_stale = answer.headers().contains_key("x-keygate-stale");
    (answer.status().as_u16(), is_stale)
}

/// What calls with a good key are answered by three nodes while the server is away, until all of them
/// answer with `away`, and until it is back.
async fn calls_during_a_restart(config: &str, away: (u16, bool)) -> Vec<Call> {
    let mut cluster = Cluster::configured(3, config).await;
    let (id, revoked) = cluster.account.key(&["read"]).await;
    let (_, good) = cluster.account.key(&["read"]).await;
    for node in &cluster.nodes {
        assert_eq!(status(&node.url, &good).await, 200);
        assert_eq!(status(&node.url, &revoked).await, 200);
    }
    assert_eq!(cluster.account.delete(&id).await.status(), 200);
    let over = Arc::new(AtomicBool::new(false));
    let (mut good_calls, mut revoked_calls) = (Vec::new(), Vec::new());
    for node in &cluster.nodes {
        let known = async || status(&node.url, &revoked).await == 401;
        eventually("the revocation is known", known).await;
        let is_over = |over: &Arc<AtomicBool>| {
            let over = over.clone();
            move || over.load(Ordering::SeqCst)
        };
        good_calls.push(call_until(&node.url, &good, is_over(&over)));
        revoked_calls.push(call_until(&node.url, &revoked, is_over(&over)));
    }
    tokio::task::block_in_place(|| cluster.server.stop());
    for node in &cluster.nodes {
        let lost = async || answer(&node.url, &good).await == away;
        eventually("the database is missed", lost).await;
    }
    tokio::task::block_in_place(|| cluster.server.resume());
    for node in &cluster.nodes {
        let back = async || answer(&node.url, &good).await == (200, false);
        eventually("the node is itself again", back).await;
    }
    over.store(true, Ordering::SeqCst);
    for calls in join_all(revoked_calls).await {
        let calls = calls.expect("no panic");
        let wrong = calls
            .iter()
            .find(|(_, status)| ![401, 503].contains(status));
        assert_eq!(wrong, None, "a revoked key");
    }
    let calls = join_all(good_calls).await.into_iter();
    calls.flat_map(|calls| calls.expect("no panic")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_restarts_keys_in_memory_work_or_are_refused_with_503() {
    let calls = calls_during_a_restart("", (503, false)).await;
    let wrong = calls
        .iter()
        .find(|(_, status)| ![200, 503].contains(status));
    assert_eq!(wrong, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_restarts_keys_in_memory_work_where_the_operator_says_so() {
    let config = "[storage]\non_storage_loss = \"serve-cached\"\n";
    let calls = calls_during_a_restart(config, (200, true)).await;
    let wrong = calls.iter().find(|(_, status)| *status != 200);
    assert_eq!(wrong, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_by_old_memory_says_so_and_not_for_ever() {
    let config = "[storage]\non_storage_loss = \"serve-cached\"\nmax_stale = \"3s\"\n";
    let cluster = Cluster::configured(1, config).await;
    let node = &cluster.nodes[0];
    let (_, good) = cluster.account.key(&["read"]).await;
    assert_eq!(status(&node.url, &good).await, 200);
    cluster.proxies[0].set(Fault::Broken);
    let call = async || answer(&node.url, &good).await;
    let stale = async || {
        let (status, is_stale) = call().await;
        assert_eq!(status, 200);
        is_stale
    };
    eventually("answers say that they are stale", stale).await;
    let ready = reqwest::get(format!("{}/readyz", node.url)).await;
    let ready: Value = ready.expect("an answer").json().await.expect("JSON");
    assert_eq!(
        (&ready["status"], &ready["storage"]),
        (&json!("ready"), &json!("away"))
    );
    let said = "keys are decided about by what is in memory";
    eventually("the log says so", async || node.log().contains(said)).await;
    eventually("it is too old", async || call().await.0 == 503).await;
    cluster.proxies[0].set(Fault::None);
    eventually("it is fresh again", async || call().await == (200, false)).await;
    let said = "the change feed is read again";
    eventually("the log says so", async || node.log().contains(said)).await;
}
