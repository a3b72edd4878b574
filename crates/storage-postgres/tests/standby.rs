//! A synchronous standby that is away: commits are made on the server, and not acknowledged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use keygate_core::{AccountId, SystemClock, key::KeyHash};
use keygate_storage::{
    Action, ChangeListener, KeyPage, KeyStatus, Made, StorageError, Store,
    conformance::{Fixture, PASSWORD_HASH},
};
use keygate_storage_postgres::{PostgresOptions, testing::PostgresServer};

const WRITERS: usize = 200;
const POOL_SIZE: u32 = 10;
/// What a pool of ten gives to writes.
const MAX_WRITES: usize = 5;
const PATIENCE: Duration = Duration::from_mins(1);

struct Cluster {
    server: PostgresServer,
    database: String,
    f: Fixture,
}

impl Cluster {
    async fn start() -> Self {
        let server = PostgresServer::start();
        let mut options = PostgresOptions::new(server.create_database());
        let name = options.name();
        let (_, database) = name.rsplit_once('/').expect("a path");
        let database = database.to_owned();
        options.pool_size = POOL_SIZE;
        let store = keygate_storage_postgres::open(&options, Arc::new(SystemClock)).await;
        let store: Arc<dyn Store> = Arc::new(store.expect("it opens"));
        let f = Fixture::new(store);
        Self {
            server,
            database,
            f,
        }
    }

    fn set_standby(&self, name: &str) {
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
        self.server.sql("postgres", &set);
        self.server.sql("postgres", "SELECT pg_reload_conf()");
    }

    /// How many of keygate's sessions there are, and how many of them wait for the standby.
    fn sessions(&self) -> (usize, usize) {
        let count = "SELECT count(*) || ' ' || count(*) FILTER (WHERE wait_event = 'SyncRep') \
            FROM pg_stat_activity WHERE application_name = 'keygate'";
        let counts = self.server.sql("postgres", count);
        let (all, waiting) = counts.split_once(' ').expect("two numbers");
        (
            all.parse().expect("a number"),
            waiting.parse().expect("a number"),
        )
    }

    /// A change that other nodes need not hear of: those that they hear of wait for each other.
    async fn sign_in(&self, account: AccountId) -> Result<Made<bool>, StorageError> {
        let session = Fixture::new_session(account);
        let entry = Fixture::entry(Action::SessionCreate);
        let hash = PASSWORD_HASH.to_owned();
        self.f.store.insert_session(session, hash, entry).await
    }

    /// How many sessions the database shows to whoever reads it.
    fn number_of_sessions(&self) -> usize {
        let count = "SELECT count(*) FROM sessions";
        let count = self.server.sql(&self.database, count);
        count.parse().expect("a number")
    }

    async fn list_keys(&self, account: AccountId) {
        let page = KeyPage {
            status: KeyStatus::All,
            before: None,
            limit: 100,
        };
        let now = Fixture::entry(Action::KeyIssue).at;
        let keys = self.f.store.list_keys(account, page, now).await;
        keys.expect("reading needs no standby");
    }

    /// Writes until a commit is not acknowledged; gives how many were before.
    async fn sign_in_until_none_is_acknowledged(&self, account: AccountId) -> usize {
        for signed_in in 0.. {
            match self.sign_in(account).await {
                Ok(_) => {}
                Err(StorageError::Uncertain(_)) => return signed_in,
                Err(other) => panic!("{other}"),
            }
        }
        unreachable!("it is found out or panics")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_wait_for_a_standby_keep_nothing_else_from_the_database() {
    let cluster = Cluster::start().await;
    let account = cluster.f.account("ada@example.com").await;
    let (_, hash) = cluster.f.key(account, "known").await;
    // A commit that waits keeps the locks on its account.
    let addresses: Vec<String> = (0..WRITERS).map(|n| format!("{n}@example.com")).collect();
    let accounts = addresses.iter().map(|address| cluster.f.account(address));
    let accounts = join_all(accounts).await;
    cluster.set_standby("nobody");
    let acknowledged = cluster.sign_in_until_none_is_acknowledged(account).await;

    let began = Instant::now();
    let outcomes = join_all(accounts.iter().map(|&account| cluster.sign_in(account)));
    let looking_up = async {
        for _ in 0..WRITERS {
            let found = cluster.f.store.lookup_credential(hash).await;
            assert!(found.expect("look-ups go on").is_some());
            cluster.list_keys(account).await;
        }
    };
    let (outcomes, ()) = tokio::join!(outcomes, looking_up);
    let uncertain = |outcome: &_| matches!(outcome, Err(StorageError::Uncertain(_)));
    let uncertain = 1 + outcomes.iter().filter(|outcome| uncertain(outcome)).count();
    assert!(outcomes.iter().all(Result::is_err));
    assert_eq!(uncertain, MAX_WRITES);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let (all, waiting) = cluster.sessions();
    assert_eq!(waiting, MAX_WRITES);
    assert_eq!(cluster.f.store.concerns()[0].code, "writes_unanswered");
    assert!(all <= POOL_SIZE as usize + 2, "{all} sessions");

    // What cannot be acknowledged is refused at once, and the server is asked for nothing.
    let began = Instant::now();
    for _ in 0..WRITERS {
        let refused = cluster.sign_in(account).await;
        assert!(
            matches!(refused, Err(StorageError::Unavailable(_))),
            "{refused:?}"
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        cluster.number_of_sessions(),
        acknowledged,
        "none is seen before"
    );

    cluster.set_standby("");
    let began = Instant::now();
    while cluster.sign_in(account).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "writes go on by themselves");
    }
    let sessions = cluster.number_of_sessions();
    assert_eq!(
        sessions,
        acknowledged + uncertain + 1,
        "what was uncertain was made"
    );
    assert!(cluster.f.store.concerns().is_empty());
    let (all, waiting) = cluster.sessions();
    assert_eq!(waiting, 0);
    assert!(all <= POOL_SIZE as usize + 2, "{all} sessions");
    cluster.f.store.close().await;
}

#[tokio::test]
async fn a_node_stops_while_its_writes_wait_for_a_standby() {
    let cluster = Cluster::start().await;
    let account = cluster.f.account("ada@example.com").await;
    cluster.set_standby("nobody");
    cluster.sign_in_until_none_is_acknowledged(account).await;
    let closed = tokio::time::timeout(PATIENCE, cluster.f.store.close());
    closed.await.expect("nothing keeps it from closing");
}

/// Counts how often it is told of something.
#[derive(Default)]
struct Told(AtomicUsize);

impl Told {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl ChangeListener for Told {
    fn keys_changed(&self, _: &[KeyHash]) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn everything_changed(&self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_may_have_been_made_is_told_again_once_it_is_seen() {
    let cluster = Cluster::start().await;
    let store = &cluster.f.store;
    let account = cluster.f.account("ada@example.com").await;
    let (key, hash) = cluster.f.key(account, "revoked").await;
    cluster.set_standby("nobody");
    cluster.sign_in_until_none_is_acknowledged(account).await;
    let told = Arc::<Told>::default();
    store.subscribe(told.clone());

    let entry = Fixture::entry(Action::KeyRevoke);
    let revoked = store.delete_key(account, key.id, entry).await;
    assert!(
        matches!(revoked, Err(StorageError::Uncertain(_))),
        "{revoked:?}"
    );
    let told_before = told.times();
    assert!(told_before > 0, "whoever has it in memory reads it anew");
    let found = async || store.lookup_credential(hash).await.expect("it answers");
    assert!(
        found().await.is_some(),
        "nobody sees it before the standby has it"
    );

    cluster.set_standby("");
    let began = Instant::now();
    while found().await.is_some() || told.times() == told_before {
        assert!(began.elapsed() < PATIENCE, "it is seen, and told");
    }
}
