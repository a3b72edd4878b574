//! What keygate asks of a database: one trait for each kind of thing it keeps, and the suite of
//! tests that every backend must pass (feature `conformance`).
//!
//! Each method is one transaction. A method that changes something takes the [`AuditEntry`] that
//! records the change and writes both or neither, and gives what was [`Made`]: nothing, if a session
//! is to have made it that is over. When it returns, the change is durable, and
//! every [`ChangeListener`] of this process has been told of the keys it concerns.

mod accounts;
mod audit;
mod change;
mod concern;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod copy;
mod error;
mod feed;
mod keys;
mod lease;
mod links;
mod made;
mod metrics;
mod patience;
mod prune;
mod sessions;
mod status;
pub mod tables;
mod usage;

use std::sync::Arc;

use async_trait::async_trait;
use prometheus_client::registry::Registry;

pub use accounts::{
    AccountPage, AccountStore, Admission, ChangeAccount, InsertAccount, NewAccount, NewPassword,
    SetPassword, StoredAccount,
};
pub use audit::{Actor, AuditEntry, AuditPage, AuditStore};
pub use change::{ChangeListener, ChangeListeners};
pub use concern::{Concern, Concerns};
pub use error::{Cause, StorageError};
pub use feed::{ChangeFeed, ChangeMark, Continuity, FeedPage, FeedPosition, FeedReader};
pub use keygate_core::{
    AccountSummary, Action, KeyChanges, KeyStatus, Link, LinkKind, RecordedActor, RecordedEntry,
};
pub use keys::{
    CredentialStore, HasherBinding, InsertKey, KeyBindings, KeyLimits, KeyPage, KeyRules, KeyStore,
    NewKey, PrefixBinding, REMEMBER_FORMS, UpdateKey,
};
pub use lease::{AsOf, Lease};
pub use links::{Invitation, InvitationKind, LinkPage, LinkStore, MAX_SETUP_LINKS, PasswordReset};
pub use made::{Made, SessionOver};
pub use metrics::{FeedMetrics, Latencies, Operation};
pub use patience::patiently;
pub use prune::{Prunable, PruneStore};
pub use sessions::{
    BeginSession, MAX_KNOWN_CLIENTS, MAX_SESSIONS, Session, SessionOrigin, SessionStore,
};
pub use status::{
    ChangeIncident, IncidentPage, IncidentRule, LastDay, LatestProbe, Period, Probe, ProbeClaim,
    ProbeRecord, Rollup, StatusHistory, StatusStore, Tally,
};
pub use usage::{KeyUse, UsageFlush, UsageStore};

/// A whole backend.
#[async_trait]
pub trait Store:
    AccountStore
    + LinkStore
    + SessionStore
    + KeyStore
    + CredentialStore
    + UsageStore
    + AuditStore
    + StatusStore
    + PruneStore
{
    /// From now on `listener` is told of each key that a change concerns, after the change is
    /// durable and before the method that made it returns.
    fn subscribe(&self, listener: Arc<dyn ChangeListener>);

    /// Until when what was read may be used without asking again.
    fn lease(&self) -> Arc<Lease>;

    /// From now on what is asked of the database is timed, for whoever reads `registry`.
    fn register_metrics(&self, registry: &mut Registry);

    /// What an operator has to know of the database, though the program goes on working.
    fn concerns(&self) -> Vec<Concern> {
        Vec::new()
    }

    /// Whether the database takes changes: one is made and committed, unless that was just now done.
    async fn check(&self) -> Result<(), StorageError>;

    /// Finishes what is under way and closes the database. Later calls fail.
    async fn close(&self);
}
