//! A revocation that is acknowledged is never followed by an acceptance.

#![expect(clippy::print_stdout, reason = "it says what it has counted")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use serde_json::json;
use support::{Account, Caller, Program, Upstream, eventually};
use tokio::sync::watch;

const CONNECTIONS: usize = 64;
const ROUNDS: u64 = 1_000;

/// What the connections verify, and what they found.
struct Round {
    key: String,
    /// Microseconds from the test's beginning to the acknowledgement; not yet: the largest number.
    acknowledged_at: AtomicU64,
    accepted: AtomicU64,
    violations: AtomicU64,
    refused: AtomicU64,
    over: AtomicBool,
}

impl Round {
    fn new(key: String) -> Arc<Self> {
        Arc::new(Self {
            key,
            acknowledged_at: u64::MAX.into(),
            accepted: 0.into(),
            violations: 0.into(),
            refused: 0.into(),
            over: false.into(),
        })
    }
}

fn micros(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_micros()).expect("a short test")
}

/// One connection that asks again and again with the round's key.
async fn verify(url: String, epoch: Instant, mut rounds: watch::Receiver<Arc<Round>>) {
    let mut caller = Caller::connect(&url).await;
    loop {
        let round = rounds.borrow_and_update().clone();
        while !round.over.load(Ordering::SeqCst) {
            let began = micros(epoch);
            match caller.call(&round.key).await.expect("it stays open") {
                200 => {
                    round.accepted.fetch_add(1, Ordering::SeqCst);
                    if began > round.acknowledged_at.load(Ordering::SeqCst) {
                        round.violations.fetch_add(1, Ordering::SeqCst);
                    }
                }
                401 => {
                    round.refused.fetch_add(1, Ordering::SeqCst);
                }
                other => panic!("status {other}"),
            }
        }
        if rounds.changed().await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acceptance_begins_after_an_acknowledged_revocation() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let account = Account::create_admin(&program).await;
    let epoch = Instant::now();

    let (mut id, key) = account.key(&["read"]).await;
    let (sender, receiver) = watch::channel(Round::new(key));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(verify(program.url.clone(), epoch, receiver.clone())))
        .collect();
    let mut rounds = Vec::new();
    for number in 0..ROUNDS {
        let round = sender.borrow().clone();
        let busy = async || round.accepted.load(Ordering::SeqCst) >= 8;
        eventually("the key is in use", busy).await;
        // Each way to revoke, in turn.
        let answer = if number % 2 == 0 {
            account.patch(&id, &json!({"is_active": false})).await
        } else {
            account.delete(&id).await
        };
        round.acknowledged_at.store(micros(epoch), Ordering::SeqCst);
        assert_eq!(answer.status(), 200);
        let known = async || round.refused.load(Ordering::SeqCst) >= 8;
        eventually("the revocation is felt", known).await;
        if number % 2 == 0 {
            account.delete(&id).await;
        }
        let (next_id, key) = account.key(&["read"]).await;
        id = next_id;
        sender.send_replace(Round::new(key));
        round.over.store(true, Ordering::SeqCst);
        rounds.push(round);
    }
    sender.borrow().over.store(true, Ordering::SeqCst);
    drop(sender);
    for client in clients {
        client.await.expect("no connection failed");
    }
    let sum = |count: fn(&Round) -> &AtomicU64| -> u64 {
        let counts = rounds
            .iter()
            .map(|round| count(round).load(Ordering::SeqCst));
        counts.sum()
    };
    assert_eq!(sum(|round| &round.violations), 0);
    let total = sum(|round| &round.accepted);
    println!("{ROUNDS} revocations, {total} acceptances, none after an acknowledgement");
}
