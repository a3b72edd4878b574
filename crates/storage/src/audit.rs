use async_trait::async_trait;
use keygate_core::{AccountId, Action, RecordedEntry, SessionId, Timestamp};

use crate::StorageError;

/// One line of the record of who changed what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// Whose account it concerns.
    pub account_id: Option<AccountId>,
    /// The id of the key, session, link or incident that it concerns.
    pub subject_id: Option<String>,
    /// The new values, as JSON; never a secret.
    pub detail: Option<String>,
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The owner of an account, who shows it by what the change itself asks for.
    Account(AccountId),
    /// The owner of an account, by a session. The change is made only if the session is not over
    /// when it is made.
    Session(AccountId, SessionId),
    /// Whoever may run keygate's commands on its machine.
    Operator,
    /// Nobody: keygate itself, by what its probes find.
    Prober,
}

impl Actor {
    /// The account that acts, if it is one.
    pub fn account_id(&self) -> Option<AccountId> {
        match self {
            Self::Account(id) | Self::Session(id, _) => Some(*id),
            Self::Operator | Self::Prober => None,
        }
    }

    /// The session by which the account acts, if by one.
    pub fn session_id(&self) -> Option<SessionId> {
        match self {
            Self::Session(_, id) => Some(*id),
            Self::Account(_) | Self::Operator | Self::Prober => None,
        }
    }

    /// The word under which it is kept.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Account(_) | Self::Session(..) => "account",
            Self::Operator => "operator",
            Self::Prober => "prober",
        }
    }
}

/// Which part of the record to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Only what concerns this account.
    pub account_id: Option<AccountId>,
    /// Only what concerns the key, session, link or incident with this id.
    pub subject_id: Option<String>,
    /// Only what was done like this.
    pub action: Option<Action>,
    /// Only entries before this one.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: u32,
}

/// The record of changes. Entries are written by the methods that make the changes.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Entries, newest first.
    async fn list_audit_entries(&self, page: AuditPage)
    -> Result<Vec<RecordedEntry>, StorageError>;
}
