//! A database that goes back under running nodes, by the real reader over a simulated one: whatever is
//! lost, restored or passed again, a node ends up with nothing in memory that the database does not say.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use keygate_core::{Clock, Random, SeededRandom, Timestamp, key::KeyHash};
use keygate_storage::{
    ChangeFeed, ChangeListener, ChangeListeners, ChangeMark, Concerns, Continuity, FeedPage,
    FeedPosition, FeedReader, Lease, StorageError,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

const TERM: Duration = Duration::from_secs(1);
const KEYS: u64 = 40;
const CASES: u64 = 200;

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

fn key(number: u64) -> KeyHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    KeyHash::from_bytes(bytes)
}

/// What a copy of the database has.
#[derive(Clone, Default)]
struct Contents {
    revoked: HashSet<KeyHash>,
    changes: Vec<(ChangeMark, KeyHash)>,
}

#[derive(Default)]
struct Database {
    contents: Contents,
    /// Counts its restarts and replacements.
    server: u64,
    is_away: bool,
}

impl Database {
    fn revoke(&mut self, key: KeyHash, random: &SeededRandom) {
        let revision = self.contents.changes.len() as u64 + 1;
        let mut identity = [0; 16];
        random.fill(&mut identity);
        let identity = u128::from_be_bytes(identity);
        let mark = ChangeMark { revision, identity };
        self.contents.changes.push((mark, key));
        self.contents.revoked.insert(key);
    }

    fn position(&self, revision: u64) -> Option<FeedPosition> {
        let origin = self.server.to_string();
        if revision == 0 {
            let mark = ChangeMark::default();
            return Some(FeedPosition { mark, origin });
        }
        let place = usize::try_from(revision).expect("a small number") - 1;
        let (mark, _) = *self.contents.changes.get(place)?;
        Some(FeedPosition { mark, origin })
    }

    fn end(&self) -> FeedPosition {
        let end = self.position(self.contents.changes.len() as u64);
        end.expect("it is there")
    }

    fn page(&self, after: &FeedPosition) -> FeedPage {
        let continuity = match self.position(after.mark.revision) {
            Some(seen) if seen == *after => Continuity::Same,
            Some(seen) if seen.mark == after.mark => Continuity::Moved,
            _ => Continuity::Lost,
        };
        let is_same = continuity == Continuity::Same;
        let after = usize::try_from(after.mark.revision).expect("a small number");
        let new = self.contents.changes.get(after..).unwrap_or_default();
        FeedPage {
            continuity,
            changed: new.iter().map(|(_, key)| *key).collect(),
            marks: new.iter().map(|(mark, _)| *mark).collect(),
            position: self.end(),
            is_last: true,
            is_complete: is_same,
        }
    }
}

#[derive(Clone, Default)]
struct Feed(Arc<Mutex<Database>>);

#[async_trait]
impl ChangeFeed for Feed {
    async fn read(&self, after: &FeedPosition) -> Result<FeedPage, StorageError> {
        let database = self.0.lock().expect("not poisoned");
        if database.is_away {
            return Err(StorageError::unavailable("away"));
        }
        Ok(database.page(after))
    }

    async fn newest_of(
        &self,
        marks: Vec<ChangeMark>,
    ) -> Result<Option<(ChangeMark, Timestamp)>, StorageError> {
        let database = self.0.lock().expect("not poisoned");
        let has = |mark: &&ChangeMark| {
            let changes = &database.contents.changes;
            changes.iter().any(|(change, _)| change == *mark)
        };
        let newest = marks.iter().rev().find(has);
        Ok(newest.map(|mark| (*mark, Timestamp::from_millis(0))))
    }
}

/// What a node has in memory: whether a key is revoked.
#[derive(Default)]
struct Memory(Mutex<HashMap<KeyHash, bool>>);

impl Memory {
    /// Looks a key up as the data plane does, which keeps what it finds.
    fn look_up(&self, key: KeyHash, feed: &Feed) -> bool {
        let mut known = self.0.lock().expect("not poisoned");
        *known.entry(key).or_insert_with(|| {
            let database = feed.0.lock().expect("not poisoned");
            database.contents.revoked.contains(&key)
        })
    }
}

impl ChangeListener for Memory {
    fn keys_changed(&self, keys: &[KeyHash]) {
        let mut known = self.0.lock().expect("not poisoned");
        for key in keys {
            known.remove(key);
        }
    }

    fn everything_changed(&self) {
        self.0.lock().expect("not poisoned").clear();
    }
}

fn draw(random: &SeededRandom, below: u64) -> u64 {
    let mut drawn = [0; 8];
    random.fill(&mut drawn);
    u64::from_be_bytes(drawn) % below
}

struct World {
    feed: Feed,
    memory: Arc<Memory>,
    lease: Arc<Lease>,
    concerns: Arc<Concerns>,
    random: SeededRandom,
}

impl World {
    fn change(&self, change: impl FnOnce(&mut Database)) {
        change(&mut self.feed.0.lock().expect("not poisoned"));
    }

    fn revoke_some(&self, most: u64) -> u64 {
        let number = draw(&self.random, most + 1);
        for _ in 0..number {
            let revoked = key(draw(&self.random, KEYS));
            self.change(|database| database.revoke(revoked, &self.random));
        }
        number
    }

    fn look_up_some(&self) {
        for _ in 0..KEYS {
            let key = key(draw(&self.random, KEYS));
            self.memory.look_up(key, &self.feed);
        }
    }

    /// Waits until the feed has been read to its end.
    async fn read(&self) {
        sleep(TERM).await;
        assert!(self.lease.holds());
    }
}

/// Goes back at a random moment, behind what was read or not, and passes it again or not.
async fn go_back_once(seed: u64) {
    let world = World {
        feed: Feed::default(),
        memory: Arc::default(),
        lease: Arc::new(Lease::new(
            Arc::new(SimulatedClock(Instant::now())),
            TERM,
            Duration::ZERO,
        )),
        concerns: Arc::default(),
        random: SeededRandom::new(seed),
    };
    let listeners = Arc::<ChangeListeners>::default();
    listeners.subscribe(world.memory.clone());
    let position = world.feed.0.lock().expect("not poisoned").end();
    let reader = FeedReader::new(
        world.feed.clone(),
        position,
        listeners,
        world.lease.clone(),
        TERM,
        Arc::new(SimulatedClock(Instant::now())),
        world.concerns.clone(),
    );
    let running = tokio::spawn(reader.run(Arc::new(Notify::new())));

    world.revoke_some(10);
    let copy = world.feed.0.lock().expect("not poisoned").contents.clone();
    world.revoke_some(3);
    world.look_up_some();
    world.read().await;
    let read = world.feed.0.lock().expect("not poisoned").end().mark;
    // What is not read any more, for the node is cut off, is looked up all the same until it is.
    world.revoke_some(3);
    world.look_up_some();
    world.change(|database| database.is_away = true);
    world.change(|database| {
        database.contents = copy.clone();
        database.server += 1;
    });
    world.revoke_some(8);
    if draw(&world.random, 2) == 0 {
        sleep(TERM * 2).await;
    }
    world.change(|database| database.is_away = false);
    world.read().await;
    world.revoke_some(3);
    world.read().await;

    let database = world.feed.0.lock().expect("not poisoned");
    for (key, is_revoked) in &*world.memory.0.lock().expect("not poisoned") {
        let expected = database.contents.revoked.contains(key);
        assert_eq!(*is_revoked, expected, "seed {seed}");
    }
    let had_read_what_is_lost = read.revision > copy.changes.len() as u64;
    let said = world.concerns.list();
    assert_eq!(
        said.len(),
        usize::from(had_read_what_is_lost),
        "seed {seed}"
    );
    if let (Some(concern), Some((common, _))) = (said.first(), copy.changes.last()) {
        let since = format!("after revision {} of", common.revision);
        assert!(concern.message.contains(&since), "{}", concern.message);
    }
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn after_a_database_has_gone_back_no_later_revocation_is_ignored_and_it_is_said() {
    for seed in 0..CASES {
        go_back_once(seed).await;
    }
}
