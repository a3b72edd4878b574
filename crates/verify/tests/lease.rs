//! The verifier of a node whose keys are changed elsewhere: what it has read has an age.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use keygate_core::{
    AccountId, Clock, Credential, Denial, KeyId, ManualClock, OsRandom, Scope, Timestamp,
    key::{KeyFormat, KeyHash, KeyHasher, KeySecret},
};
use keygate_storage::{ChangeListener, CredentialStore, Lease, StorageError};
use keygate_verify::{Refusal, Verifier};
use tokio::{
    sync::watch,
    task::{JoinSet, yield_now},
    time::{Instant, advance, interval},
};

const TERM: Duration = Duration::from_secs(1);
/// As long as a process may be paused without anybody having told it.
const PAUSE: Duration = Duration::from_millis(1_300);
const START: Timestamp = Timestamp::from_millis(1_781_078_400_000);

/// Tokio's time, which a test stops and moves, as the monotonic clock.
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        START
    }

    fn monotonic(&self) -> Duration {
        // The lease takes zero for never.
        self.0.elapsed() + Duration::from_millis(1)
    }
}

/// What the database does with what it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    AtOnce,
    /// It has read, and what it read is not there yet.
    Held,
    Failing,
    Never,
}

/// A database that other nodes change, of which nobody tells this one.
struct Database {
    keys: Mutex<HashMap<KeyHash, Credential>>,
    answers: watch::Sender<Answers>,
    lookups: AtomicUsize,
}

impl Database {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            keys: Mutex::default(),
            answers: watch::Sender::new(Answers::AtOnce),
            lookups: 0.into(),
        })
    }

    fn issue(&self) -> KeySecret {
        let secret = KeyFormat::default().generate(&OsRandom);
        self.keep(&secret);
        secret
    }

    fn keep(&self, secret: &KeySecret) {
        let credential = Credential {
            key_id: KeyId::generate(START, &OsRandom),
            account_id: AccountId::generate(START, &OsRandom),
            scopes: [Scope::Read].into_iter().collect(),
            expires_at: None,
            is_active: true,
            account_suspended: false,
        };
        let mut keys = self.keys.lock().expect("not poisoned");
        keys.insert(hash(secret), credential);
    }

    fn revoke(&self, secret: &KeySecret) {
        let mut keys = self.keys.lock().expect("not poisoned");
        keys.get_mut(&hash(secret)).expect("issued").is_active = false;
    }

    fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }

    /// Waits until so many look-ups have begun.
    async fn reach(&self, lookups: usize) {
        while self.lookups() < lookups {
            yield_now().await;
        }
    }
}

#[async_trait]
impl CredentialStore for Database {
    async fn lookup_credential(&self, hash: KeyHash) -> Result<Option<Credential>, StorageError> {
        let found = self.keys.lock().expect("not poisoned").get(&hash).copied();
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.subscribe();
        let answers =
            answers.wait_for(|answers| matches!(answers, Answers::AtOnce | Answers::Failing));
        match *answers.await.expect("it is there") {
            Answers::Failing => Err(StorageError::unavailable("it fails")),
            _ => Ok(found),
        }
    }
}

fn hash(secret: &KeySecret) -> KeyHash {
    KeyHasher::default().hash(secret.expose())
}

struct Node {
    clock: Arc<TestClock>,
    lease: Arc<Lease>,
    verifier: Verifier,
}

impl Node {
    fn over(database: &Arc<Database>) -> Arc<Self> {
        let clock = Arc::new(TestClock(Instant::now()));
        let lease = Arc::new(Lease::new(clock.clone(), TERM, Duration::ZERO));
        let node = Self {
            verifier: verifier(database, clock.clone()).under(lease.clone()),
            clock,
            lease,
        };
        node.read_feed();
        Arc::new(node)
    }

    /// Reads the feed to its end, which names nothing.
    fn read_feed(&self) {
        self.lease.renew(self.clock.monotonic());
    }

    async fn verify(&self, secret: &KeySecret) -> Result<KeyId, Refusal> {
        verify(&self.verifier, secret, None).await
    }

    /// Begins a request, and goes on.
    fn spawn_verify(
        self: &Arc<Self>,
        secret: &KeySecret,
    ) -> tokio::task::JoinHandle<Result<KeyId, Refusal>> {
        let (node, secret) = (self.clone(), secret.clone());
        tokio::spawn(async move { node.verify(&secret).await })
    }
}

fn verifier(database: &Arc<Database>, clock: Arc<dyn Clock>) -> Verifier {
    let (format, hasher) = (KeyFormat::default(), KeyHasher::default());
    Verifier::new(database.clone(), clock, &OsRandom, format, hasher)
}

async fn verify(
    verifier: &Verifier,
    secret: &KeySecret,
    client: Option<IpAddr>,
) -> Result<KeyId, Refusal> {
    let value = format!("Bearer {}", secret.expose());
    let value = HeaderValue::from_str(&value).expect("a header value");
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let decided = verifier.verify(&headers, "/v1/models", Scope::Read, || client);
    decided.await.map(|key| key.key_id)
}

fn assert_denied(verified: Result<KeyId, Refusal>, expected: Denial) {
    match verified {
        Err(Refusal::Denied(denial)) if denial == expected => {}
        other => panic!("{other:?} where {expected:?} was due"),
    }
}

fn assert_unavailable(verified: &Result<KeyId, Refusal>) {
    assert!(
        matches!(verified, Err(Refusal::Unavailable(_))),
        "{verified:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_pause_lets_nobody_in_after_it() {
    let database = Database::new();
    let node = Node::over(&database);
    let secret = database.issue();
    database.answers.send_replace(Answers::Held);
    let early = node.spawn_verify(&secret);
    database.reach(1).await;
    // It was read as active. Then the process is paused, and the key is revoked elsewhere.
    database.revoke(&secret);
    advance(PAUSE).await;
    database.answers.send_replace(Answers::AtOnce);
    assert_denied(node.verify(&secret).await, Denial::Revoked);
    assert_unavailable(&early.await.expect("no panic"));
}

#[tokio::test(start_paused = true)]
async fn nobody_joins_a_look_up_that_is_older_than_the_lease() {
    let database = Database::new();
    let node = Node::over(&database);
    let secret = database.issue();
    database.answers.send_replace(Answers::Held);
    let early = node.spawn_verify(&secret);
    database.reach(1).await;
    database.revoke(&secret);
    advance(PAUSE).await;
    let late = [(); 3].map(|()| node.spawn_verify(&secret));
    // One of its own, which the three share.
    database.reach(2).await;
    database.answers.send_replace(Answers::AtOnce);
    for late in late {
        assert_denied(late.await.expect("no panic"), Denial::Revoked);
    }
    assert_unavailable(&early.await.expect("no panic"));
    assert_eq!(database.lookups(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_old_is_asked_for_again_while_there_is_time() {
    let database = Database::new();
    let node = Node::over(&database);
    let secret = database.issue();
    database.answers.send_replace(Answers::Held);
    let early = node.spawn_verify(&secret);
    database.reach(1).await;
    advance(Duration::from_millis(600)).await;
    let joined = node.spawn_verify(&secret);
    yield_now().await;
    database.revoke(&secret);
    advance(Duration::from_millis(500)).await;
    database.answers.send_replace(Answers::AtOnce);
    assert_denied(joined.await.expect("no panic"), Denial::Revoked);
    assert_unavailable(&early.await.expect("no panic"));
}

/// A clock on which the process is paused as soon as it looks what time it is: after the look into
/// memory, and before the decision is given out.
struct PausingClock {
    time: ManualClock,
    pause: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Clock for PausingClock {
    fn now(&self) -> Timestamp {
        if let Some(pause) = self.pause.lock().expect("not poisoned").take() {
            pause();
        }
        self.time.now()
    }

    fn monotonic(&self) -> Duration {
        self.time.monotonic()
    }
}

#[tokio::test]
async fn a_decision_that_was_made_before_a_pause_is_not_given_out_after_it() {
    let database = Database::new();
    let clock = Arc::new(PausingClock {
        time: ManualClock::at(START),
        pause: Mutex::default(),
    });
    clock.time.advance_millis(1);
    let lease = Arc::new(Lease::new(clock.clone(), TERM, Duration::ZERO));
    lease.renew(clock.monotonic());
    let verifier = Arc::new(verifier(&database, clock.clone()).under(lease.clone()));
    for in_memory in [false, true] {
        let secret = database.issue();
        if in_memory {
            verify(&verifier, &secret, None).await.expect("active");
        }
        let woken = {
            let (database, secret) = (database.clone(), secret.clone());
            let (clock, lease, verifier) = (clock.clone(), lease.clone(), verifier.clone());
            move || {
                database.revoke(&secret);
                clock.time.advance_millis(1_300);
                // The reader of the feed is woken before the request is.
                verifier.keys_changed(&[hash(&secret)]);
                lease.renew(clock.monotonic());
            }
        };
        *clock.pause.lock().expect("not poisoned") = Some(Box::new(woken));
        assert_denied(verify(&verifier, &secret, None).await, Denial::Revoked);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_by_all_who_wait_for_it() {
    let database = Database::new();
    let node = Node::over(&database);
    let secret = database.issue();
    database.answers.send_replace(Answers::Held);
    let waiting = [(); 200].map(|()| node.spawn_verify(&secret));
    database.reach(1).await;
    yield_now().await;
    database.answers.send_replace(Answers::Failing);
    for waiting in waiting {
        assert_unavailable(&waiting.await.expect("no panic"));
    }
    assert_eq!(database.lookups(), 1);
    // Whoever comes after it does not share it.
    database.answers.send_replace(Answers::AtOnce);
    node.verify(&secret).await.expect("it is back");
}

#[tokio::test(start_paused = true)]
async fn while_the_database_is_silent_each_is_answered_within_the_lease_of_its_arrival() {
    let database = Database::new();
    let node = Node::over(&database);
    let secret = database.issue();
    database.answers.send_replace(Answers::Never);
    let mut requests = JoinSet::new();
    let mut pace = interval(Duration::from_millis(50));
    for _ in 0..200 {
        pace.tick().await;
        let (node, secret) = (node.clone(), secret.clone());
        requests.spawn(async move {
            let arrived = Instant::now();
            let verified = node.verify(&secret).await;
            (arrived.elapsed(), verified)
        });
    }
    let answered = requests.join_all().await;
    assert_eq!(answered.len(), 200);
    for (waited, verified) in answered {
        assert_unavailable(&verified);
        // Tokio's timers go by the millisecond.
        assert!(waited <= TERM + Duration::from_millis(1), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_leave_take_no_answer_with_them() {
    let database = Database::new();
    let node = Node::over(&database);
    let secret = database.issue();
    database.answers.send_replace(Answers::Held);
    let gone = node.spawn_verify(&secret);
    database.reach(1).await;
    let stays = node.spawn_verify(&secret);
    yield_now().await;
    gone.abort();
    assert!(gone.await.expect_err("it was aborted").is_cancelled());
    database.answers.send_replace(Answers::AtOnce);
    stays.await.expect("no panic").expect("active");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_did_not_exist_is_let_in_within_the_lease_of_its_issue() {
    let database = Database::new();
    let node = Node::over(&database);
    let secret = KeyFormat::default().generate(&OsRandom);
    for _ in 0..3 {
        assert_denied(node.verify(&secret).await, Denial::Invalid);
    }
    assert_eq!(database.lookups(), 1, "it is remembered");
    // Heard of from the feed.
    database.keep(&secret);
    node.verifier.keys_changed(&[hash(&secret)]);
    node.verify(&secret).await.expect("it was issued");
    // Or not at all: the feed says nothing of keys that another node issues.
    let secret = KeyFormat::default().generate(&OsRandom);
    assert_denied(node.verify(&secret).await, Denial::Invalid);
    database.keep(&secret);
    for _ in 0..2 {
        advance(TERM / 2).await;
        node.read_feed();
    }
    node.verify(&secret).await.expect("it was issued");
    // Nor is all forgotten in vain.
    let secret = KeyFormat::default().generate(&OsRandom);
    node.read_feed();
    assert_denied(node.verify(&secret).await, Denial::Invalid);
    database.keep(&secret);
    node.verifier.everything_changed();
    node.verify(&secret).await.expect("it was issued");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_issued_while_it_is_looked_up_is_not_taken_for_an_unknown_one() {
    let database = Database::new();
    let node = Node::over(&database);
    let secret = KeyFormat::default().generate(&OsRandom);
    database.answers.send_replace(Answers::Held);
    let early = node.spawn_verify(&secret);
    database.reach(1).await;
    // Nothing was found, and what is told of the issue comes before that answer.
    database.keep(&secret);
    node.verifier.keys_changed(&[hash(&secret)]);
    database.answers.send_replace(Answers::AtOnce);
    early.await.expect("no panic").expect("it was issued");
    node.verify(&secret).await.expect("it was issued");
}
