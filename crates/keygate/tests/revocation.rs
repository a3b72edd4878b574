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
use support::{Account, Program, Upstream, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

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
async fn verify(address: String, epoch: Instant, mut rounds: watch::Receiver<Arc<Round>>) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket option");
    let mut buffer = vec![0; 4096];
    loop {
        let round = rounds.borrow_and_update().clone();
        while !round.over.load(Ordering::SeqCst) {
            let request = format!(
                "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
                round.key
            );
            let began = micros(epoch);
            stream.write_all(request.as_bytes()).await.expect("sent");
            match read_status(&mut stream, &mut buffer).await {
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

/// Reads one answer whole.
async fn read_status(stream: &mut TcpStream, buffer: &mut [u8]) -> u16 {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.expect("an answer");
        assert_ne!(read, 0, "the connection was closed");
        filled += read;
        let text = std::str::from_utf8(&buffer[..filled]).expect("ASCII");
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().expect("a number"));
        if body.len() >= length {
            return head[9..12].parse().expect("a status");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acceptance_begins_after_an_acknowledged_revocation() {
    let upstream = Upstream::start().await;
    let program = Program::with_upstream(&upstream.url());
    let account = Account::create(&program).await;
    let address = program
        .url
        .strip_prefix("http://")
        .expect("plain http")
        .to_owned();
    let epoch = Instant::now();

    let (mut id, key) = account.key(&["read"]).await;
    let (sender, receiver) = watch::channel(Round::new(key));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| tokio::spawn(verify(address.clone(), epoch, receiver.clone())))
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
