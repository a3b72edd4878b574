//! A database that goes back under running nodes.

use serde_json::Value;

use crate::{
    cluster::Cluster,
    fault_proxy::Fault,
    support::{Caller, Dice, eventually},
};

/// `FAILOVERS=100` for the long run.
const TIMES: u64 = 3;
/// How many keys are revoked before it goes back, and how many after: together as many as may be active.
const KEYS: usize = 5;

/// How a database goes back.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// A standby takes over that has not heard of everything.
    FailOver,
    /// An earlier backup is restored.
    Restore,
}

async fn status(url: &str, key: &str) -> u16 {
    let mut caller = Caller::connect(url).await;
    caller.call(key).await.expect("an answer")
}

async fn issue(cluster: &Cluster) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    for _ in 0..KEYS {
        keys.push(cluster.account.key(&["read"]).await);
    }
    keys
}

async fn revoke(cluster: &Cluster, keys: &[(String, String)]) {
    for (id, _) in keys {
        // An attempt that the database did not answer may have succeeded.
        let revoked =
            async || [200, 404].contains(&cluster.account.delete(id).await.status().as_u16());
        eventually("the key is revoked", revoked).await;
    }
}

/// Waits until every node answers so for each key.
async fn await_status(cluster: &Cluster, keys: &[(String, String)], expected: u16) {
    for node in &cluster.nodes {
        for (_, key) in keys {
            let is_so = async || status(&node.url, key).await == expected;
            eventually(&format!("{expected} for the key"), is_so).await;
        }
    }
}

fn times_said(cluster: &Cluster) -> usize {
    cluster.nodes[1]
        .log()
        .matches("The database has gone back")
        .count()
}

/// Some revocations are lost, which the second node has heard of; later ones are not, whether or not it
/// is cut off meanwhile, and whether or not the database has come as far again as it was read.
async fn go_back(cluster: &mut Cluster, way: Way, dice: &mut Dice) {
    let before = issue(cluster).await;
    let after = issue(cluster).await;
    await_status(cluster, &before, 200).await;
    await_status(cluster, &after, 200).await;
    let (kept, lost) = before.split_at(dice.pick(KEYS));
    revoke(cluster, kept).await;
    let dump = tokio::task::block_in_place(|| match way {
        Way::FailOver => {
            cluster.server.make_standby();
            String::new()
        }
        Way::Restore => cluster.server.dump(&cluster.database),
    });
    revoke(cluster, lost).await;
    await_status(cluster, &before, 401).await;
    let said = times_said(cluster);
    if dice.roll(2) == 0 {
        cluster.proxies[1].set(Fault::Broken);
    }
    tokio::task::block_in_place(|| match way {
        Way::FailOver => cluster.server.fail_over(),
        Way::Restore => cluster.server.restore(&cluster.database, &dump),
    });
    revoke(cluster, &after).await;
    cluster.proxies[1].set(Fault::None);

    let is_said = async || times_said(cluster) > said;
    eventually("the loss is said", is_said).await;
    await_status(cluster, &after, 401).await;
    await_status(cluster, kept, 401).await;
    // What the database does not know any more cannot hold.
    await_status(cluster, lost, 200).await;
    revoke(cluster, lost).await;
    await_status(cluster, &before, 401).await;
}

#[expect(clippy::print_stdout, reason = "the seed makes a run repeatable")]
async fn go_back_again_and_again(way: Way) {
    let mut cluster = Cluster::start(2).await;
    let times = std::env::var("FAILOVERS").map(|times| times.parse().expect("a number"));
    for seed in 0..times.unwrap_or(TIMES) {
        println!("{way:?} {seed}");
        go_back(&mut cluster, way, &mut Dice::new(seed + 1)).await;
    }
    let ready = reqwest::get(format!("{}/readyz", cluster.nodes[1].url)).await;
    let ready = ready.expect("an answer");
    assert_eq!(ready.status(), 200);
    let ready: Value = ready.json().await.expect("JSON");
    let concerns = ready["concerns"].as_array().expect("a list");
    let is_it = |concern: &Value| concern["code"] == "history_lost";
    assert!(concerns.iter().any(is_it), "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fail_over_with_loss_no_later_revocation_is_ignored() {
    go_back_again_and_again(Way::FailOver).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_under_running_nodes_no_later_revocation_is_ignored() {
    go_back_again_and_again(Way::Restore).await;
}
