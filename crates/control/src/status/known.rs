//! What is known of the service at a moment.

use std::{collections::HashMap, sync::Arc, time::Duration};

use keygate_core::{ComponentId, Incident, Timestamp};
use keygate_storage::{LatestProbe, StatusHistory};

/// What there is to go by.
pub(super) struct Known {
    pub(super) snapshot: Option<Arc<Snapshot>>,
    pub(super) live: HashMap<ComponentId, Live>,
    /// How long the database has not answered, if it does not.
    pub(super) failing_for: Option<Duration>,
}

/// What the database said.
pub(super) struct Snapshot {
    pub(super) read_at: Timestamp,
    pub(super) history: StatusHistory,
    /// The newest first.
    pub(super) incidents: Vec<Incident>,
}

/// What this node itself found out about a component.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) probe: LatestProbe,
    /// How many failed in a row.
    pub(super) failures: u32,
}
