//! Operations at random on three nodes, and whether what was answered can have been.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    cluster::Cluster,
    support::{Account, Caller, Dice},
};

const CLIENTS: u64 = 6;
const OPERATIONS: u64 = 10_000;
/// `SEEDS=20` for the long run.
const SEEDS: u64 = 2;
/// How long a change may take to be known on another node.
const LEASE: Duration = Duration::from_secs(1);

/// What a key is to those who call with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    On,
    Off,
    Gone,
}

/// Something that was done at a node, from its beginning to the moment its answer was there.
#[derive(Debug, Clone, Copy)]
struct Event<T> {
    began: Instant,
    ended: Instant,
    node: usize,
    what: T,
}

/// A key's changes, and what calls with it were answered.
#[derive(Debug, Default)]
struct Key {
    id: String,
    secret: String,
    changes: Vec<Event<State>>,
    calls: Vec<Event<u16>>,
    /// Whether somebody is changing it, so that each key's changes have an order.
    is_busy: bool,
}

impl Key {
    /// The states that a call may have met: the last change that it must have known, and all that may
    /// have happened since.
    fn possible(&self, call: &Event<u16>) -> Vec<State> {
        let known = |change: &Event<State>| {
            let lag = if change.node == call.node {
                Duration::ZERO
            } else {
                LEASE
            };
            change.ended + lag < call.began
        };
        let last_known = self.changes.iter().rposition(known).unwrap_or(0);
        let until = self.changes[last_known..].iter();
        let until = until.take_while(|change| change.began < call.ended);
        until.map(|change| change.what).collect()
    }

    fn check(&self) -> Result<(), String> {
        for call in &self.calls {
            let possible = self.possible(call);
            let expected = |state: &State| match state {
                State::On => 200,
                State::Off | State::Gone => 401,
            };
            if !possible.iter().any(|state| expected(state) == call.what) {
                return Err(format!(
                    "{} was answered with {call:?} where it was {possible:?}: {:#?}",
                    self.id, self.changes
                ));
            }
        }
        Ok(())
    }
}

struct World {
    accounts: Vec<Account>,
    urls: Vec<String>,
    keys: Mutex<Vec<Arc<Mutex<Key>>>>,
}

impl World {
    async fn issue(&self, node: usize) {
        let began = Instant::now();
        let call = self.accounts[node].call(Method::POST, "/api/keys");
        let answer = call
            .json(&json!({"name": "a key", "scopes": ["read"]}))
            .send()
            .await;
        let answer = answer.expect("an answer");
        match answer.status().as_u16() {
            201 => {}
            409 => return,
            other => panic!("{other}: {:?}", answer.text().await),
        }
        let record: Value = answer.json().await.expect("JSON");
        let text = |field: &str| record[field].as_str().expect("text").to_owned();
        let key = Key {
            id: text("id"),
            secret: text("key"),
            changes: vec![event(began, node, State::On)],
            ..Key::default()
        };
        let mut keys = self.keys.lock().expect("not poisoned");
        keys.push(Arc::new(Mutex::new(key)));
    }

    fn pick(&self, dice: &mut Dice) -> Option<Arc<Mutex<Key>>> {
        let keys = self.keys.lock().expect("not poisoned");
        // Those of late; the others are gone for the most part.
        let recent = &keys[keys.len().saturating_sub(12)..];
        (!recent.is_empty()).then(|| recent[dice.pick(recent.len())].clone())
    }

    async fn change(&self, key: &Mutex<Key>, node: usize, to: State) {
        let id = {
            let mut key = key.lock().expect("not poisoned");
            let last = key.changes.last().expect("it was issued").what;
            if key.is_busy || last == State::Gone {
                return;
            }
            key.is_busy = true;
            key.id.clone()
        };
        let began = Instant::now();
        let account = &self.accounts[node];
        let answer = if to == State::Gone {
            account.delete(&id).await
        } else {
            let switch = json!({"is_active": to == State::On});
            account.patch(&id, &switch).await
        };
        match answer.status().as_u16() {
            200 => changed(key, event(began, node, to)),
            // No place is free under the limit.
            409 if to == State::On => key.lock().expect("not poisoned").is_busy = false,
            other => panic!("{other}"),
        }
    }

    async fn act(&self, dice: &mut Dice, callers: &mut [Caller]) {
        let node = dice.pick(callers.len());
        let Some(key) = self.pick(dice) else {
            return self.issue(node).await;
        };
        match dice.roll(100) {
            0..3 => self.issue(node).await,
            3..5 => self.change(&key, node, State::Gone).await,
            5..9 => self.change(&key, node, State::Off).await,
            9..13 => self.change(&key, node, State::On).await,
            _ => {
                let secret = key.lock().expect("not poisoned").secret.clone();
                let began = Instant::now();
                let status = callers[node].call(&secret).await.expect("an answer");
                let mut key = key.lock().expect("not poisoned");
                key.calls.push(event(began, node, status));
            }
        }
    }
}

fn changed(key: &Mutex<Key>, change: Event<State>) {
    let mut key = key.lock().expect("not poisoned");
    key.changes.push(change);
    key.is_busy = false;
}

fn event<T>(began: Instant, node: usize, what: T) -> Event<T> {
    Event {
        began,
        ended: Instant::now(),
        node,
        what,
    }
}

async fn run(cluster: &Cluster, seed: u64) {
    let world = Arc::new(World {
        accounts: (0..cluster.nodes.len())
            .map(|node| cluster.account_at(node))
            .collect(),
        urls: cluster.nodes.iter().map(|node| node.url.clone()).collect(),
        keys: Mutex::default(),
    });
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let world = world.clone();
        clients.spawn(async move {
            let mut dice = Dice::new(seed * CLIENTS + client + 1);
            let mut callers = Vec::new();
            for url in &world.urls {
                callers.push(Caller::connect(url).await);
            }
            for _ in 0..OPERATIONS / CLIENTS {
                world.act(&mut dice, &mut callers).await;
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.expect("no client failed");
    }
    let keys = std::mem::take(&mut *world.keys.lock().expect("not poisoned"));
    for key in keys {
        let key = std::mem::take(&mut *key.lock().expect("not poisoned"));
        key.check().unwrap_or_else(|why| panic!("{why}"));
        if key.changes.last().expect("it was issued").what != State::Gone {
            assert_eq!(cluster.account.delete(&key.id).await.status(), 200);
        }
    }
}

#[expect(clippy::print_stdout, reason = "the seed makes a run repeatable")]
#[tokio::test(flavor = "multi_thread")]
async fn what_three_nodes_answer_can_have_been() {
    let cluster = Cluster::start(3).await;
    let seeds = std::env::var("SEEDS").map(|seeds| seeds.parse().expect("a number"));
    for seed in 0..seeds.unwrap_or(SEEDS) {
        println!("seed {seed}");
        run(&cluster, seed).await;
    }
}

#[test]
fn a_history_that_cannot_have_been_is_found() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let event = |began, ended, node| {
        move |what| Event {
            began: at(began),
            ended: at(ended),
            node,
            what,
        }
    };
    let changes = vec![event(0, 10, 0)(State::On), event(100, 110, 0)(State::Off)];
    let call = |began, ended, node, what| Event {
        began: at(began),
        ended: at(ended),
        node,
        what,
    };
    let judge = |call: Event<u16>| {
        let key = Key {
            changes: changes.clone(),
            calls: vec![call],
            ..Key::default()
        };
        key.check().is_ok()
    };
    for (call, expected) in [
        (call(50, 60, 0, 200), true),
        (call(50, 60, 0, 401), false),
        (call(90, 105, 0, 401), true),
        (call(105, 120, 0, 200), true),
        (call(111, 120, 0, 200), false),
        (call(111, 120, 1, 200), true),
        (call(1_111, 1_120, 1, 200), false),
        (call(1_111, 1_120, 1, 401), true),
    ] {
        assert_eq!(judge(call), expected, "{call:?}");
    }
}
