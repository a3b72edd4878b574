use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use keygate_core::{Clock, ComponentId, IncidentId, IncidentKind, Timestamp};
use keygate_storage::{LatestProbe, StatusHistory, StorageError, Store};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::{
    Status, StatusPolicy,
    known::{Known, Live, Snapshot},
};
use crate::{Control, PAGE};

/// How old what is shown may be, at most and at least.
const MAX_AGE: Duration = Duration::from_secs(5);
const MIN_AGE: Duration = Duration::from_millis(500);
/// How long whoever asks waits for the database.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the service, in memory, so that it can be shown to many, and without the database.
pub(crate) struct Board {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    components: Vec<ComponentId>,
    max_age: Duration,
    max_gap: Duration,
    read: Mutex<Read>,
    live: Mutex<HashMap<ComponentId, Live>>,
    /// Changes with what is known.
    version: AtomicU64,
    /// What was shown last.
    shown: Mutex<Option<Shown>>,
    /// When it was last read, by the monotonic clock; held while it is.
    tried: Arc<tokio::sync::Mutex<Option<Duration>>>,
}

/// What was put together in a second from what was known then.
struct Shown {
    second: i64,
    version: u64,
    status: Arc<Status>,
}

/// What came of reading.
#[derive(Clone, Default)]
struct Read {
    snapshot: Option<Arc<Snapshot>>,
    /// Since when the database does not answer, by the monotonic clock.
    failing_since: Option<Duration>,
}

impl Board {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        policy: &StatusPolicy,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            components: policy.components.iter().map(|one| one.id.clone()).collect(),
            max_age: (policy.interval / 2).clamp(MIN_AGE, MAX_AGE),
            max_gap: policy.max_gap(),
            read: Mutex::default(),
            live: Mutex::default(),
            version: AtomicU64::default(),
            shown: Mutex::default(),
            tried: Arc::default(),
        })
    }

    /// Notes a probe that this node has made.
    pub(super) fn note(&self, probe: LatestProbe) {
        let mut live = self.live.lock();
        let before = live.get(&probe.component);
        let before = before.filter(|before| before.probe.at.plus(self.max_gap) >= probe.at);
        let failures = match before {
            _ if probe.is_up => 0,
            before => before.map_or(0, |before| before.failures) + 1,
        };
        live.insert(probe.component.clone(), Live { probe, failures });
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Whether the database has said anything yet.
    pub(super) fn has_read(&self) -> bool {
        self.read.lock().snapshot.is_some()
    }

    fn known(&self) -> Known {
        let Read {
            snapshot,
            failing_since,
        } = self.read.lock().clone();
        let now = self.clock.monotonic();
        Known {
            snapshot,
            live: self.live.lock().clone(),
            failing_for: failing_since.map(|since| now.saturating_sub(since)),
        }
    }

    /// What was changed is to be seen at once.
    pub(super) async fn forget(&self) {
        *self.tried.lock().await = None;
    }

    /// Reads anew what is too old. One reads; the others go on with what there is, if there is anything.
    pub(super) async fn refresh(self: &Arc<Self>) {
        let is_known = self.has_read();
        let tried = if is_known {
            self.tried.clone().try_lock_owned().ok()
        } else {
            Some(self.tried.clone().lock_owned().await)
        };
        let Some(mut tried) = tried else { return };
        let now = self.clock.monotonic();
        if tried.is_some_and(|tried| now.saturating_sub(tried) < self.max_age) {
            return;
        }
        let board = self.clone();
        // Whoever asked may go away meanwhile.
        let reading = tokio::spawn(async move {
            let read = timeout(PATIENCE, board.read_store()).await;
            *tried = Some(now);
            let mut last = board.read.lock();
            if let Ok(Ok(snapshot)) = read {
                last.snapshot = Some(snapshot.into());
                last.failing_since = None;
            } else {
                last.failing_since.get_or_insert(now);
            }
            drop(last);
            board.version.fetch_add(1, Ordering::Release);
        });
        let _ = reading.await;
    }

    /// What is to be shown now. However many ask, it is put together once a second, and when something is known
    /// anew.
    fn show(&self, policy: &StatusPolicy, now: Timestamp) -> Arc<Status> {
        let version = self.version.load(Ordering::Acquire);
        let second = now.as_millis().div_euclid(1_000);
        let mut shown = self.shown.lock();
        if let Some(shown) = &*shown
            && (shown.second, shown.version) == (second, version)
        {
            return shown.status.clone();
        }
        let status = Arc::new(Status::new(policy, &self.known(), now));
        *shown = Some(Shown {
            second,
            version,
            status: status.clone(),
        });
        status
    }

    async fn read_store(&self) -> Result<Snapshot, StorageError> {
        let now = self.clock.now();
        let [.., quarter_ago] = StatusHistory::since(now);
        // However many are over, those that are not are there. What ends meanwhile is in both lists.
        let mut incidents = self.store.list_open_incidents(now).await?;
        let open: HashSet<IncidentId> = incidents.iter().map(|incident| incident.id).collect();
        // Each kind by itself, so that an upstream that comes and goes leaves room for what people say.
        for &kind in IncidentKind::ALL {
            let ended = self
                .store
                .list_ended_incidents(kind, quarter_ago, now, PAGE)
                .await?;
            incidents.extend(ended.into_iter().filter(|one| !open.contains(&one.id)));
        }
        incidents.sort_by_key(|incident| std::cmp::Reverse(incident.id));
        Ok(Snapshot {
            read_at: now,
            history: self
                .store
                .read_history(self.components.clone(), now)
                .await?,
            incidents,
        })
    }
}

impl Control {
    /// How the service does. It is at most some seconds old; without the database, what was known last.
    /// It is the same one until there is something else to see.
    pub async fn read_status(&self) -> Arc<Status> {
        self.board.refresh().await;
        self.board.show(&self.policy.status, self.clock.now())
    }
}
