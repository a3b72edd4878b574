//! What can be done with keygate: the use cases behind the management API, the pages and the
//! commands, which all call these and nothing below.
//!
//! Each is a method of [`Control`] and answers with a [`Problem`] where it
//! refuses. A refusal changes nothing.

mod accounts;
mod attempts;
mod audit;
mod changes;
mod keys;
mod passwords;
mod prune;
mod sessions;
mod shares;
mod status;
mod throttle;

use std::{sync::Arc, time::Duration};

use keygate_core::{
    AccountId, Clock, Problem, Random, Timestamp,
    key::{KeyFormat, KeyHash, KeyHasher},
};
use keygate_storage::{AuditEntry, HasherBinding, PrefixBinding, StorageError, Store};
use prometheus_client::registry::Registry;

use attempts::Attempts;
use changes::Changes;
use passwords::Passwords;
use sessions::SignInFailures;
use shares::Shares;
use status::Board;

pub use accounts::{SignUp, Signup, parse_account_id};
pub use audit::AuditFilter;
pub use changes::CountedChange;
pub use keygate_core::{
    Health, INCIDENT_STATES, IncidentEdit, IssuedKey, OneTimeToken, PostIncident,
    ScheduleMaintenance,
};
pub use keygate_storage::{
    AccountSummary, Action, Actor, Concern, KeyChanges, KeyLimits, KeyStatus, Link, LinkKind,
    RecordedEntry, Session,
};
pub use keys::Issued;
pub use sessions::{Client, SignedIn, SignedInSession};
pub use status::{
    Component, ComponentStatus, Day, Hour, ProbeFault, Probers, Status, StatusPolicy, Target,
    Uptime,
};

/// How many keys, accounts, links or entries one page of a list has at most.
pub const PAGE: u32 = 100;

/// The settings that the use cases obey.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How many keys an account may have.
    pub key_limits: KeyLimits,
    /// How many changes an account may make in a minute; five thirds of that at once.
    pub changes_per_minute: u32,
    /// How long entries of the record are kept; `None` for ever.
    pub keep_audit: Option<Duration>,
    /// Who may make an account.
    pub signup: Signup,
    /// How long a session lives without being used.
    pub session_idle: Duration,
    /// How long a session lives at most.
    pub session_absolute: Duration,
    /// What is probed, and how often.
    pub status: StatusPolicy,
}

impl Default for Policy {
    /// 10 active keys of 1,000, 120 changes a minute, accounts by invitation, sessions of 7 days unused and 30 days in all, and what
    /// [`StatusPolicy`] has.
    fn default() -> Self {
        Self {
            key_limits: KeyLimits {
                active: 10,
                total: 1_000,
            },
            changes_per_minute: 120,
            keep_audit: None,
            signup: Signup::default(),
            session_idle: Duration::from_hours(7 * 24),
            session_absolute: Duration::from_hours(30 * 24),
            status: StatusPolicy::default(),
        }
    }
}

/// The use cases, over one store.
pub struct Control {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    format: KeyFormat,
    hasher: KeyHasher,
    policy: Policy,
    passwords: Passwords,
    attempts: Attempts,
    changes: Changes,
    reads: Shares,
    sign_in_failures: SignInFailures,
    board: Arc<Board>,
}

impl Control {
    /// The use cases over `store`, for keys of this format and hasher.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        format: KeyFormat,
        hasher: KeyHasher,
        policy: Policy,
    ) -> Self {
        Self {
            passwords: Passwords::new(random.clone()),
            attempts: Attempts::new(clock.clone()),
            changes: Changes::new(clock.clone(), policy.changes_per_minute),
            reads: Shares::default(),
            sign_in_failures: SignInFailures::default(),
            board: Board::new(store.clone(), clock.clone(), &policy.status),
            store,
            clock,
            random,
            format,
            hasher,
            policy,
        }
    }

    /// Counts failed attempts to sign in from now on, for whoever reads `registry`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.sign_in_failures.register(registry);
    }

    /// Whether the store can check secrets with this hasher. To be asked once, at the start.
    pub async fn bind_hasher(&self) -> Result<HasherBinding, StorageError> {
        self.store.bind_hasher(self.hasher.fingerprint()).await
    }

    /// Whether the keys in the store begin as those that are issued now. To be asked once, at the start.
    pub async fn bind_prefix(&self) -> Result<PrefixBinding, StorageError> {
        let prefix = self.format.prefix().to_owned();
        self.store.bind_prefix(prefix).await
    }

    /// A short word that tells this keygate, on however many nodes, from others on the same host. To be asked
    /// after [`Self::bind_hasher`].
    pub async fn name_installation(&self) -> Result<String, StorageError> {
        let mut drawn = [0; 4];
        self.random.fill(&mut drawn);
        let drawn = format!("{:08x}", u32::from_be_bytes(drawn));
        self.store.name_installation(drawn).await
    }

    /// Notes the limits on keys for commands that are run without this configuration.
    pub async fn note_limits(&self) -> Result<(), StorageError> {
        self.store.note_limits(self.policy.key_limits).await
    }

    /// Whether the store answers. Where it does not, but keys are decided about by what is in memory:
    /// how old that is.
    pub async fn check_store(&self) -> Result<Option<Duration>, Problem> {
        let stale = self.store.lease().stale_age();
        if stale.is_none() {
            self.store.check().await?;
        }
        Ok(stale)
    }

    /// Whether keys can be decided about, which takes no write. The same where they are by what is in memory.
    pub async fn check_lookups(&self) -> Result<Option<Duration>, Problem> {
        let lease = self.store.lease();
        let stale = lease.stale_age();
        // Where others change the database too, it is read all the time, and has then just answered.
        let has_answered = lease.patience().is_some() && lease.holds();
        if stale.is_none() && !has_answered {
            let nobodys = KeyHash::from_bytes([0; 32]);
            self.store.lookup_credential(nobodys).await?;
        }
        Ok(stale)
    }

    /// What an operator has to know of the store, though it works.
    pub fn concerns(&self) -> Vec<Concern> {
        self.store.concerns()
    }

    /// The time, as the use cases see it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How many active keys an account may have.
    pub fn max_active_keys(&self) -> u32 {
        self.policy.key_limits.active
    }

    fn entry(&self, actor: Actor, action: Action, account_id: AccountId) -> AuditEntry {
        AuditEntry {
            at: self.clock.now(),
            actor,
            action,
            account_id: Some(account_id),
            subject_id: None,
            detail: None,
        }
    }
}
