use std::{collections::HashMap, sync::Arc, time::Duration};

use keygate_core::{ComponentId, Incident, Timestamp};
use keygate_storage::{IncidentPage, LatestProbe, StatusHistory, StorageError};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::{Status, StatusPolicy};
use crate::{Control, PAGE};

/// How old what is shown may be.
const MAX_AGE: Duration = Duration::from_secs(5);
/// How long whoever asks waits for the database.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the service, in memory, so that it can be shown to many, and without the database.
pub(crate) struct Board {
    max_age: Duration,
    known: Mutex<Known>,
    live: Mutex<HashMap<ComponentId, Live>>,
    /// When it was last read, by the monotonic clock; held while it is.
    tried: tokio::sync::Mutex<Option<Duration>>,
}

#[derive(Default, Clone)]
struct Known {
    snapshot: Option<Arc<Snapshot>>,
    is_stale: bool,
}

/// What the database said.
pub(super) struct Snapshot {
    pub(super) read_at: Timestamp,
    pub(super) history: StatusHistory,
    pub(super) incidents: Vec<Incident>,
}

/// What this node itself found out about a component.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) probe: LatestProbe,
    /// How many failed in a row.
    pub(super) failures: u32,
}

impl Board {
    pub(crate) fn new(policy: &StatusPolicy) -> Self {
        Self {
            max_age: MAX_AGE.min(policy.interval / 2),
            known: Mutex::default(),
            live: Mutex::default(),
            tried: tokio::sync::Mutex::default(),
        }
    }

    /// Notes a probe that this node has made.
    pub(super) fn note(&self, probe: LatestProbe) {
        let mut live = self.live.lock();
        let before = live.get(&probe.component).map_or(0, |live| live.failures);
        let failures = if probe.is_up { 0 } else { before + 1 };
        live.insert(probe.component.clone(), Live { probe, failures });
    }

    fn live(&self, component: &ComponentId) -> Option<Live> {
        self.live.lock().get(component).cloned()
    }
}

impl Control {
    /// How the service does. It is at most some seconds old; without the database, what was known last.
    pub async fn read_status(&self) -> Status {
        self.refresh_board().await;
        let known = self.board.known.lock().clone();
        Status::new(
            &self.policy.status,
            known.snapshot.as_deref(),
            known.is_stale,
            &|component| self.board.live(component),
            self.clock.now(),
        )
    }

    /// What was changed is to be seen at once.
    pub(super) async fn forget_board(&self) {
        *self.board.tried.lock().await = None;
    }

    /// Reads anew what is too old. One reads; the others go on with what there is, if there is anything.
    async fn refresh_board(&self) {
        let is_known = self.board.known.lock().snapshot.is_some();
        let tried = if is_known {
            self.board.tried.try_lock().ok()
        } else {
            Some(self.board.tried.lock().await)
        };
        let Some(mut tried) = tried else { return };
        let now = self.clock.monotonic();
        if tried.is_some_and(|tried| now.saturating_sub(tried) < self.board.max_age) {
            return;
        }
        *tried = Some(now);
        let read = timeout(PATIENCE, self.read_snapshot()).await;
        let mut known = self.board.known.lock();
        match read {
            Ok(Ok(snapshot)) => {
                known.snapshot = Some(snapshot.into());
                known.is_stale = false;
            }
            Ok(Err(_)) | Err(_) => known.is_stale = true,
        }
    }

    async fn read_snapshot(&self) -> Result<Snapshot, StorageError> {
        let now = self.clock.now();
        let [.., quarter_ago] = StatusHistory::since(now);
        let recent = IncidentPage {
            ended_after: Some(quarter_ago),
            before: None,
            limit: PAGE,
        };
        Ok(Snapshot {
            read_at: now,
            history: self.store.read_history(now).await?,
            incidents: self.store.list_incidents(recent).await?,
        })
    }
}
