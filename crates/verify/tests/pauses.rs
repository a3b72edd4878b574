//! A node that is paused at random moments, by the real verifier, lease and reader of the feed over a
//! simulated database. Time is simulated too, so that a thousand pauses take a moment.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use keygate_core::{
    AccountId, Clock, Credential, KeyId, MONOTONIC_LAG, OsRandom, Random, Scope, SeededRandom,
    Timestamp,
    key::{KeyFormat, KeyHash, KeyHasher, KeySecret},
};
use keygate_storage::{
    ChangeFeed, ChangeListeners, ChangeMark, Continuity, CredentialStore, FeedPage, FeedPosition,
    FeedReader, Lease, StorageError,
};
use keygate_verify::Verifier;
use tokio::{
    sync::{Notify, oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

const TERM: Duration = Duration::from_secs(1);
const PAUSES: u64 = 1_000;
/// How many keys are being looked up when the node is paused, and how many are in memory.
const KEYS: usize = 8;
const START: Timestamp = Timestamp::from_millis(1_781_078_400_000);

/// Tokio's time as the monotonic clock.
struct SimulatedClock(Instant);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        START
    }

    fn monotonic(&self) -> Duration {
        // The lease takes zero for never.
        self.0.elapsed() + Duration::from_millis(1)
    }
}

/// Does the work of a process that is paused now and then: nothing goes on in it meanwhile, though
/// answers come and timers run out.
async fn with_pauses<T>(is_paused: watch::Receiver<bool>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        let mut resumed = is_paused.clone();
        // Who can no longer be paused goes on.
        let _ = resumed.wait_for(|is_paused| !is_paused).await;
        let step = poll_fn(|context| {
            if *is_paused.borrow() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(context).map(Some)
        });
        if let Some(done) = step.await {
            return done;
        }
    }
}

/// A database that answers a while after it has read.
#[derive(Default)]
struct Database {
    keys: Mutex<HashMap<KeyHash, Credential>>,
    changes: Mutex<Vec<KeyHash>>,
}

impl Database {
    fn issue(&self) -> KeySecret {
        let secret = KeyFormat::default().generate(&OsRandom);
        let credential = Credential {
            key_id: KeyId::generate(START, &OsRandom),
            account_id: AccountId::generate(START, &OsRandom),
            scopes: [Scope::Read].into_iter().collect(),
            expires_at: None,
            is_active: true,
            account_suspended: false,
        };
        let mut keys = self.keys.lock().expect("not poisoned");
        keys.insert(hash(&secret), credential);
        secret
    }

    fn revoke(&self, secret: &KeySecret) {
        let hash = hash(secret);
        let mut keys = self.keys.lock().expect("not poisoned");
        keys.get_mut(&hash).expect("issued").is_active = false;
        self.changes.lock().expect("not poisoned").push(hash);
    }
}

/// The way of a node to the database.
#[derive(Clone)]
struct Connection {
    database: Arc<Database>,
    one_way: Duration,
}

impl Connection {
    /// The server reads and answers whether or not the node that asks is paused.
    async fn ask<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> T + Send + 'static,
    ) -> Result<T, StorageError> {
        let (reply, answer) = oneshot::channel();
        let Self { database, one_way } = self.clone();
        tokio::spawn(async move {
            sleep(one_way).await;
            let found = read(&database);
            sleep(one_way).await;
            let _ = reply.send(found);
        });
        let answer = timeout(TERM.saturating_sub(MONOTONIC_LAG), answer).await;
        let answer = answer.map_err(|_| StorageError::unavailable("no answer"))?;
        answer.map_err(|_| StorageError::Closed)
    }
}

#[async_trait]
impl CredentialStore for Connection {
    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError> {
        self.ask(move |database| {
            let keys = database.keys.lock().expect("not poisoned");
            keys.get(&hash).copied()
        })
        .await
    }
}

#[async_trait]
impl ChangeFeed for Connection {
    async fn read(&self, after: &FeedPosition) -> Result<FeedPage, StorageError> {
        let mut position = after.clone();
        let place = usize::try_from(position.mark.revision).expect("a small number");
        let read = self.ask(move |database| {
            let changes = database.changes.lock().expect("not poisoned");
            changes[place..].to_vec()
        });
        let changed = read.await?;
        position.mark.revision += changed.len() as u64;
        Ok(FeedPage {
            continuity: Continuity::Same,
            position,
            changed,
            marks: Vec::new(),
            is_last: true,
            is_complete: true,
        })
    }

    async fn newest_of(
        &self,
        _: Vec<ChangeMark>,
    ) -> Result<Option<(ChangeMark, Timestamp)>, StorageError> {
        Ok(None)
    }
}

fn hash(secret: &KeySecret) -> KeyHash {
    KeyHasher::default().hash(secret.expose())
}

struct Node {
    is_paused: watch::Sender<bool>,
    verifier: Arc<Verifier>,
    wake: Arc<Notify>,
    /// What the node does by itself; it ends with it.
    running: JoinSet<()>,
}

impl Node {
    fn start(connection: &Connection) -> Self {
        let clock = Arc::new(SimulatedClock(Instant::now()));
        let lease = Arc::new(Lease::new(clock.clone(), TERM, Duration::ZERO));
        let (format, hasher) = (KeyFormat::default(), KeyHasher::default());
        let store = Arc::new(connection.clone());
        let verifier = Verifier::new(store, clock.clone(), &OsRandom, format, hasher);
        let verifier = Arc::new(verifier.under(lease.clone()));
        let listeners = Arc::new(ChangeListeners::default());
        listeners.subscribe(verifier.clone());
        let reader = FeedReader::new(
            connection.clone(),
            FeedPosition::default(),
            listeners,
            lease,
            TERM,
            clock,
            Arc::default(),
        );
        let (is_paused, wake) = (watch::Sender::new(false), Arc::new(Notify::new()));
        let mut running = JoinSet::new();
        running.spawn(with_pauses(is_paused.subscribe(), reader.run(wake.clone())));
        Self {
            is_paused,
            verifier,
            wake,
            running,
        }
    }

    /// A request that has arrived: whether it will be let in.
    fn arrive(&self, secret: &KeySecret) -> JoinHandle<bool> {
        let (verifier, secret) = (self.verifier.clone(), secret.clone());
        tokio::spawn(with_pauses(self.is_paused.subscribe(), async move {
            let value = format!("Bearer {}", secret.expose());
            let value = HeaderValue::from_str(&value).expect("a header value");
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            let decided = verifier.verify(&headers, "/v1/models", Scope::Read, || None);
            decided.await.is_ok()
        }))
    }
}

/// A random time from `shortest` to `longest`.
fn between(shortest: Duration, longest: Duration, random: &SeededRandom) -> Duration {
    let mut drawn = [0; 4];
    random.fill(&mut drawn);
    let share = f64::from(u32::from_be_bytes(drawn)) / f64::from(u32::MAX);
    shortest + longest.saturating_sub(shortest).mul_f64(share)
}

/// Pauses a node once while some keys are looked up and others are in memory, all of which are revoked
/// meanwhile. How many requests were let in that arrived when none might be.
async fn pause_once(seed: u64, latency: Duration) -> usize {
    let random = SeededRandom::new(seed);
    let connection = Connection {
        database: Arc::default(),
        one_way: latency / 2,
    };
    let node = Node::start(&connection);
    sleep(TERM).await;
    let keys: Vec<_> = (0..2 * KEYS).map(|_| connection.database.issue()).collect();
    for secret in &keys[..KEYS] {
        let in_memory = node.arrive(secret).await;
        assert!(in_memory.expect("no panic"), "it is active");
    }
    let early: Vec<_> = keys[KEYS..].iter().map(|key| node.arrive(key)).collect();
    sleep(between(Duration::ZERO, latency * 3 / 2, &random)).await;
    node.is_paused.send_replace(true);
    sleep(between(Duration::ZERO, latency, &random)).await;
    for secret in &keys {
        connection.database.revoke(secret);
    }
    let acknowledged = Instant::now();
    sleep(between(TERM / 4, TERM * 3, &random)).await;
    let is_late = acknowledged.elapsed() >= TERM;
    // Requests wait before the node, and what wakes the reader of the feed among them.
    let mut late = Vec::new();
    for (place, secret) in keys.iter().chain(&keys).enumerate() {
        if place == KEYS {
            node.wake.notify_one();
        }
        late.push(node.arrive(secret));
    }
    tokio::task::yield_now().await;
    node.is_paused.send_replace(false);
    let mut let_in = 0;
    for verified in late {
        let verified = verified.await.expect("no panic");
        let_in += usize::from(verified && is_late);
    }
    for verified in early {
        verified.await.expect("no panic");
    }
    assert_eq!(node.running.len(), 1, "the reader goes on");
    let_in
}

#[tokio::test(start_paused = true)]
async fn a_thousand_pauses_at_random_moments_let_no_revoked_key_in() {
    for seed in 0..PAUSES {
        let latency = [0, 60, 150][usize::try_from(seed % 3).expect("small")];
        let let_in = pause_once(seed, Duration::from_millis(latency)).await;
        assert_eq!(let_in, 0, "seed {seed}, {latency} ms to the database");
    }
}
