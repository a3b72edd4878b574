//! One node probes at a time, another takes over, and the page answers without the database.

use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;

use crate::{cluster::Cluster, fault_proxy::Fault, support::eventually};

async fn status(url: &str) -> Value {
    let answer = Client::new().get(format!("{url}/api/status")).send();
    let answer = answer.await.expect("it answers");
    assert_eq!(answer.status(), 200);
    answer.json().await.expect("JSON")
}

fn probes_of_storage(status: &Value) -> u64 {
    let uptime = &status["components"][2]["uptime"]["last_24_hours"];
    uptime["up"].as_u64().expect("a number") + uptime["down"].as_u64().expect("a number")
}

/// Who probes the database of the cluster.
fn prober(cluster: &Cluster) -> String {
    let sql = "SELECT prober_id FROM probe_claims WHERE component = 'storage'";
    cluster.server.sql(&cluster.database, sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_takes_over_when_the_prober_dies() {
    let mut cluster = Cluster::probing(2, "200ms").await;
    let url = cluster.nodes[1].url.clone();
    eventually("the first node probes", async || {
        probes_of_storage(&status(&url).await) > 3
    })
    .await;
    let first = prober(&cluster);
    // The first to start was the first to probe.
    cluster.nodes[0].kill();
    let killed = Instant::now();
    eventually("the other takes over", async || prober(&cluster) != first).await;
    // By the default of 30 seconds, 1.5 of which it watches, looking three times in each: within a minute.
    assert!(
        killed.elapsed() < Duration::from_secs(10),
        "{:?}",
        killed.elapsed()
    );
    let so_far = probes_of_storage(&status(&url).await);
    eventually("and goes on", async || {
        probes_of_storage(&status(&url).await) > so_far + 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_the_page_says_what_was_known_and_what_is_seen() {
    let cluster = Cluster::probing(1, "200ms").await;
    let url = &cluster.nodes[0].url;
    eventually("all works", async || {
        status(url).await["status"] == "operational"
    })
    .await;
    cluster.proxies[0].set(Fault::Broken);
    eventually("it says what is down, as far as it sees", async || {
        let status = status(url).await;
        let is_out = |index: usize| status["components"][index]["status"] == "outage";
        !status["stale_since"].is_null() && is_out(1) && is_out(2)
    })
    .await;
    let page = Client::new().get(format!("{url}/status")).send().await;
    let page = page.expect("it answers").text().await.expect("text");
    assert!(page.contains("The database cannot be reached."), "{page}");
    cluster.proxies[0].set(Fault::None);
    eventually("what failed meanwhile is on record", async || {
        let status = status(url).await;
        let past = status["past"].as_array().expect("an array");
        let mut titles = past.iter().map(|incident| &incident["title"]);
        status["stale_since"].is_null()
            && status["status"] == "operational"
            && titles.any(|title| title == "Data plane is down")
    })
    .await;
}
