//! Nodes that are paused, as a full machine or a freezer does it, while keys are revoked elsewhere.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{sleep, sleep_until},
};

use crate::{
    cluster::Cluster,
    fault_proxy::Fault,
    support::{Caller, Dice, eventually},
};

/// `PAUSES=1000` for the long run.
const PAUSES: usize = 50;
/// How far away the database is from each of the nodes that are paused.
const LATENCIES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(60),
    Duration::from_millis(150),
];
/// The default lease, and what is added to it for a call to get there.
const LAST_ACCEPTANCE: Duration = Duration::from_millis(1_500);
/// How many keys each pause has that are in memory, and how many that are being looked up.
const WARM: usize = 6;
const COLD: usize = 10;
/// How many calls with each key wait before a paused node.
const LATE: usize = 2;

/// Connections that are open before a node is paused.
async fn connect(url: &str, good: &str, count: usize) -> Vec<Caller> {
    let callers = (0..count).map(async |_| {
        let mut caller = Caller::connect(url).await;
        assert_eq!(caller.call(good).await.expect("an answer"), 200);
        caller
    });
    join_all(callers).await
}

/// What a node is asked around its pause.
struct Paused {
    early: Vec<JoinHandle<u16>>,
    late: Vec<(usize, Caller)>,
}

impl Paused {
    /// Has some keys in memory, begins to look up the others, and is paused at a random moment of that.
    async fn begin(cluster: &Cluster, node: usize, keys: &[(String, String)], good: &str) -> Self {
        let url = &cluster.nodes[node].url;
        let mut late = connect(url, good, keys.len() * LATE).await;
        for ((_, key), caller) in keys[..WARM].iter().zip(&mut late) {
            assert_eq!(caller.call(key).await.expect("an answer"), 200);
        }
        let asking = connect(url, good, COLD).await;
        let early = keys[WARM..]
            .iter()
            .zip(asking)
            .map(|((_, key), mut caller)| {
                let key = key.clone();
                tokio::spawn(async move { caller.call(&key).await.expect("an answer") })
            });
        Self {
            early: early.collect(),
            late: (0..keys.len()).cycle().zip(late).collect(),
        }
    }

    /// How many calls were let in that were sent too late, and how many of those sent in time.
    async fn end(self) -> (usize, usize) {
        let late = self.late.into_iter().map(|(_, mut caller)| async move {
            let status = caller.read_status().await.expect("an answer");
            assert!([200, 401, 503].contains(&status), "{status}");
            status
        });
        let late = join_all(late).await;
        let early = join_all(self.early).await.into_iter();
        let early = early.map(|status| status.expect("no panic"));
        let let_in = |statuses: Vec<u16>| statuses.iter().filter(|status| **status == 200).count();
        (let_in(late), let_in(early.collect()))
    }
}

/// A random time up to `longest`.
fn up_to(longest: Duration, dice: &mut Dice) -> Duration {
    let micros = u64::try_from(longest.as_micros()).expect("short");
    Duration::from_micros(dice.roll(micros + 1))
}

#[expect(clippy::print_stdout, reason = "it says what it has counted")]
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_paused_lets_no_revoked_key_in() {
    let config = "[keys]\nmax_active = 100\n";
    let cluster = Cluster::configured(1 + LATENCIES.len(), config).await;
    let (_, good) = cluster.account.key(&["read"]).await;
    for (proxy, latency) in cluster.proxies[1..].iter().zip(LATENCIES) {
        proxy.set_latency(latency);
    }
    let pauses = std::env::var("PAUSES").map(|pauses| pauses.parse().expect("a number"));
    let rounds = pauses.unwrap_or(PAUSES).div_ceil(LATENCIES.len());
    let mut early_let_in = 0;
    for round in 0..rounds {
        let mut dice = Dice::new(u64::try_from(round).expect("a small number"));
        let mut keys = Vec::new();
        for _ in 0..WARM + COLD {
            keys.push(cluster.account.key(&["read"]).await);
        }
        let mut stopped = Vec::new();
        for (place, latency) in LATENCIES.into_iter().enumerate() {
            let begun = Paused::begin(&cluster, 1 + place, &keys, &good).await;
            // At random, as that is what pauses are: before the answers, among them or after.
            sleep(up_to(latency + Duration::from_millis(8), &mut dice)).await;
            cluster.nodes[1 + place].signal("STOP");
            stopped.push(begun);
        }
        for (id, _) in &keys {
            // A node that is paused in a transaction holds its locks until the database ends it.
            // What was not acknowledged may have been done all the same.
            let revoked =
                async || [200, 404].contains(&cluster.account.delete(id).await.status().as_u16());
            eventually("the key is revoked", revoked).await;
        }
        let acknowledged = Instant::now();
        sleep_until((acknowledged + LAST_ACCEPTANCE).into()).await;
        for node in &mut stopped {
            for (place, caller) in &mut node.late {
                caller.send(&keys[*place].1).await.expect("it waits");
            }
        }
        for node in 0..LATENCIES.len() {
            sleep(up_to(Duration::from_millis(50), &mut dice)).await;
            cluster.nodes[1 + node].signal("CONT");
        }
        for (node, latency) in stopped.into_iter().zip(LATENCIES) {
            let (late, early) = node.end().await;
            assert_eq!(late, 0, "round {round}, {latency:?} to the database");
            early_let_in += early;
        }
        for node in &cluster.nodes[1..] {
            let mut caller = Caller::connect(&node.url).await;
            let is_back = async || caller.call(&good).await.expect("an answer") == 200;
            eventually("the node is itself again", is_back).await;
        }
    }
    let pauses = rounds * LATENCIES.len();
    let early = pauses * COLD;
    println!(
        "{pauses} pauses, {} calls sent {LAST_ACCEPTANCE:?} after a revocation, none let in; \
         of {early} calls sent before the pause {early_let_in}",
        pauses * (WARM + COLD) * LATE
    );
}

/// Nobody waits in line for a key: each look-up is shared, and so is its failure.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_silent_each_request_for_one_key_is_answered_within_the_lease() {
    let cluster = Cluster::start(1).await;
    let (_, key) = cluster.account.key(&["read"]).await;
    let url = &cluster.nodes[0].url;
    cluster.proxies[0].set(Fault::Stopped);
    let mut calls = JoinSet::new();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..200 {
        pace.tick().await;
        let mut caller = Caller::connect(url).await;
        let key = key.clone();
        calls.spawn(async move {
            let began = Instant::now();
            let status = caller.call(&key).await.expect("an answer");
            (status, began.elapsed())
        });
    }
    let answered = calls.join_all().await;
    assert_eq!(answered.len(), 200);
    for (status, waited) in answered {
        assert_eq!(status, 503);
        assert!(waited <= LAST_ACCEPTANCE, "{waited:?}");
    }
}
