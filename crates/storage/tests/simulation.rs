//! How long a revoked key lives on other nodes, by the real reader and lease over a simulated
//! database: many nodes, far away, where notifications get lost. Time is simulated too, so that the
//! figures are the same at each run; they stand in `docs/scaling.md`.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use keygate_core::{Clock, Random, SeededRandom, Timestamp, key::KeyHash};
use keygate_storage::{
    ChangeFeed, ChangeListener, ChangeListeners, ChangeMark, Continuity, FeedPage, FeedPosition,
    FeedReader, Lease, StorageError,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

const TERM: Duration = Duration::from_secs(1);
/// What one reading of the feed costs the database.
const READING: Duration = Duration::from_micros(50);
/// How many readings the database serves at once.
const CORES: usize = 8;
const REVOCATIONS: usize = 60;

/// Tokio's time as the monotonic clock.
struct SimulatedClock(Instant);

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn monotonic(&self) -> Duration {
        // The lease takes zero for never.
        self.0.elapsed() + Duration::from_millis(1)
    }
}

/// One database for all nodes.
struct Database {
    changes: Mutex<Vec<KeyHash>>,
    /// When each of its cores is free again.
    cores: Mutex<Vec<Instant>>,
}

impl Database {
    /// Waits for a core and for the reading itself.
    async fn read(&self, after: usize) -> Vec<KeyHash> {
        let done = {
            let mut cores = self.cores.lock().expect("not poisoned");
            let core = cores.iter_mut().min().expect("there are some");
            *core = (*core).max(Instant::now()) + READING;
            *core
        };
        sleep_until(done).await;
        self.changes.lock().expect("not poisoned")[after..].to_vec()
    }
}

/// The way of one node to the database.
struct Feed {
    database: Arc<Database>,
    one_way: Duration,
    is_cut_off: Arc<AtomicBool>,
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn read(&self, after: &FeedPosition) -> Result<FeedPage, StorageError> {
        sleep(self.one_way).await;
        if self.is_cut_off.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let place = usize::try_from(after.mark.revision).expect("a small number");
        let changed = self.database.read(place).await;
        sleep(self.one_way).await;
        let mut position = after.clone();
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

/// A node that has every key in memory, and notes when it heard of each one's end.
struct Node {
    heard: Mutex<HashMap<KeyHash, Instant>>,
    lease: Arc<Lease>,
    wake: Arc<Notify>,
    is_cut_off: Arc<AtomicBool>,
}

impl ChangeListener for Node {
    fn keys_changed(&self, keys: &[KeyHash]) {
        let mut heard = self.heard.lock().expect("not poisoned");
        for key in keys {
            heard.entry(*key).or_insert_with(Instant::now);
        }
    }

    fn everything_changed(&self) {}
}

impl Node {
    fn start(case: &Case, database: &Arc<Database>, running: &mut JoinSet<()>) -> Arc<Self> {
        let (_, never) = watch::channel(false);
        Self::start_paused_by(case, database, running, never)
    }

    fn start_paused_by(
        case: &Case,
        database: &Arc<Database>,
        running: &mut JoinSet<()>,
        is_paused: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let clock = Arc::new(SimulatedClock(Instant::now()));
        let node = Arc::new(Self {
            heard: Mutex::default(),
            lease: Arc::new(Lease::new(clock.clone(), TERM, Duration::ZERO)),
            wake: Arc::new(Notify::new()),
            is_cut_off: Arc::default(),
        });
        let listeners = Arc::new(ChangeListeners::default());
        listeners.subscribe(node.clone());
        let feed = Feed {
            database: database.clone(),
            one_way: case.one_way,
            is_cut_off: node.is_cut_off.clone(),
        };
        let reader = FeedReader::new(
            feed,
            FeedPosition::default(),
            listeners,
            node.lease.clone(),
            TERM,
            clock,
            Arc::default(),
        );
        running.spawn(with_pauses(is_paused, reader.run(node.wake.clone())));
        node
    }

    /// How long it goes on letting a key in: until it hears of its end, or may no longer go by its
    /// memory.
    async fn lets_in_for(&self, key: KeyHash, since: Instant) -> Duration {
        loop {
            let heard = self.heard.lock().expect("not poisoned").get(&key).copied();
            if let Some(heard) = heard {
                return heard - since;
            }
            if !self.lease.holds() {
                return since.elapsed();
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
}

struct Case {
    nodes: usize,
    one_way: Duration,
    /// How many notifications in a hundred.
    lost: u8,
}

struct Lags {
    median: Duration,
    longest: Duration,
}

fn happens(random: &SeededRandom, in_a_hundred: u8) -> bool {
    let mut drawn = [0; 2];
    random.fill(&mut drawn);
    u16::from_be_bytes(drawn) % 100 < u16::from(in_a_hundred)
}

/// Revokes keys one after the other; how long each was still let in somewhere.
async fn simulate(case: &Case) -> Lags {
    let random = SeededRandom::new(1);
    let database = Arc::new(Database {
        changes: Mutex::default(),
        cores: Mutex::new(vec![Instant::now(); CORES]),
    });
    let mut running = JoinSet::new();
    let mut nodes = Vec::new();
    for _ in 0..case.nodes {
        nodes.push(Node::start(case, &database, &mut running));
        // They were not all started at once.
        sleep(Duration::from_millis(17)).await;
    }
    let mut lags = Vec::new();
    for number in 0..REVOCATIONS {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let key = KeyHash::from_bytes(bytes);
        database.changes.lock().expect("not poisoned").push(key);
        let acknowledged = Instant::now();
        sleep(case.one_way).await;
        for node in &nodes {
            if !happens(&random, case.lost) {
                node.wake.notify_one();
            }
        }
        let mut longest = Duration::ZERO;
        for node in &nodes {
            longest = longest.max(node.lets_in_for(key, acknowledged).await);
        }
        lags.push(longest);
        sleep(Duration::from_millis(137)).await;
    }
    lags.sort_unstable();
    Lags {
        median: lags[lags.len() / 2],
        longest: lags[lags.len() - 1],
    }
}

/// A node whose readings stop just after a revocation is one that never hears of it.
#[tokio::test(start_paused = true)]
async fn a_node_that_hears_nothing_stops_when_its_lease_is_over() {
    let case = Case {
        nodes: 1,
        one_way: Duration::from_millis(1),
        lost: 0,
    };
    let database = Arc::new(Database {
        changes: Mutex::default(),
        cores: Mutex::new(vec![Instant::now(); CORES]),
    });
    let mut running = JoinSet::new();
    let node = Node::start(&case, &database, &mut running);
    let key = KeyHash::from_bytes([1; 32]);
    sleep(TERM * 3).await;
    assert!(node.lease.holds());
    node.is_cut_off.store(true, Ordering::SeqCst);
    let revoked = Instant::now();
    let let_in_for = node.lets_in_for(key, revoked).await;
    assert!((TERM / 2..=TERM).contains(&let_in_for), "{let_in_for:?}");
    node.is_cut_off.store(false, Ordering::SeqCst);
    sleep(TERM * 2).await;
    assert!(node.lease.holds(), "it is read again");
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

/// Whatever was read before the pause, and in whatever order the node's tasks are woken, it does not go
/// by what it knew longer ago than the term.
#[tokio::test(start_paused = true)]
async fn a_node_that_is_paused_at_random_moments_goes_by_nothing_older_than_the_lease() {
    let random = SeededRandom::new(1);
    let up_to = |longest: Duration| {
        let mut drawn = [0; 2];
        random.fill(&mut drawn);
        longest * u32::from(u16::from_be_bytes(drawn)) / u32::from(u16::MAX)
    };
    for one_way_millis in [0, 30, 75].into_iter().cycle().take(300) {
        let database = Arc::new(Database {
            changes: Mutex::default(),
            cores: Mutex::new(vec![Instant::now(); CORES]),
        });
        let case = Case {
            nodes: 1,
            one_way: Duration::from_millis(one_way_millis),
            lost: 0,
        };
        let pause = watch::Sender::new(false);
        let mut running = JoinSet::new();
        let node = Node::start_paused_by(&case, &database, &mut running, pause.subscribe());
        sleep(TERM + up_to(TERM)).await;
        assert!(node.lease.holds());
        pause.send_replace(true);
        sleep(up_to(TERM)).await;
        let key = KeyHash::from_bytes([1; 32]);
        database.changes.lock().expect("not poisoned").push(key);
        let acknowledged = Instant::now();
        sleep(up_to(TERM * 3)).await;
        pause.send_replace(false);
        // Asked first before any other task has run, and then between any two of them.
        for _ in 0..100 {
            let as_of = node.lease.as_of_memory();
            let heard = node.heard.lock().expect("not poisoned").contains_key(&key);
            let lets_in = !heard && node.lease.covers(as_of);
            assert!(!lets_in || acknowledged.elapsed() < TERM);
            tokio::task::yield_now().await;
        }
        let let_in_for = node.lets_in_for(key, acknowledged).await;
        sleep(TERM * 2).await;
        assert!(
            node.lease.holds(),
            "it is itself again after {let_in_for:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_bounds_what_the_page_on_scaling_says() {
    let mut table =
        String::from("| nodes | notifications lost | median | longest |\n|---|---|---|---|\n");
    for (name, nodes, one_way_micros) in [
        ("3, in one place", 3, 250),
        ("10, in one place", 10, 250),
        ("100, in one place", 100, 250),
        ("10, ten regions", 10, 40_000),
        ("1,000, ten regions", 1_000, 40_000),
    ] {
        for lost in [0, 1, 100] {
            let one_way = Duration::from_micros(one_way_micros);
            let case = Case {
                nodes,
                one_way,
                lost,
            };
            let Lags { median, longest } = simulate(&case).await;
            assert!(longest <= TERM, "{name}: {longest:?}");
            let (median, longest) = (median.as_millis(), longest.as_millis());
            table += &format!("| {name} | {lost} % | {median} ms | {longest} ms |\n");
        }
    }
    let page = include_str!("../../../docs/scaling.md");
    assert!(
        page.contains(&table),
        "docs/scaling.md has other figures than these:\n{table}"
    );
}
