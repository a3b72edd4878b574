use std::fmt;

use async_trait::async_trait;
use keygate_core::{AccountId, EmailAddress, SessionId, Timestamp};

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

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// What was changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            /// The name under which the action is kept.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// All actions.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The action of this name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

actions! {
    /// An account was made.
    AccountCreate => "account.create",
    /// An account's password was changed; its sessions ended.
    AccountSetPassword => "account.set_password",
    /// An account was suspended; its sessions ended.
    AccountSuspend => "account.suspend",
    /// An account's suspension was lifted.
    AccountResume => "account.resume",
    /// An account was given another role; its sessions ended.
    AccountSetRole => "account.set_role",
    /// A one-time link for a new account was made.
    InvitationCreate => "invitation.create",
    /// A one-time link for a new password was made.
    PasswordResetCreate => "password_reset.create",
    /// A one-time link for a new account was withdrawn.
    InvitationWithdraw => "invitation.withdraw",
    /// A one-time link for a new password was withdrawn.
    PasswordResetWithdraw => "password_reset.withdraw",
    /// Somebody signed in.
    SessionCreate => "session.create",
    /// Somebody signed out.
    SessionDelete => "session.delete",
    /// All sessions of an account but one were ended.
    SessionDeleteOthers => "session.delete_others",
    /// A key was issued.
    KeyIssue => "key.issue",
    /// A key's name, scopes or switch was changed.
    KeyUpdate => "key.update",
    /// A key was revoked for good.
    KeyRevoke => "key.revoke",
    /// An incident was posted, or maintenance scheduled.
    IncidentCreate => "incident.create",
    /// Something was said of an incident.
    IncidentUpdate => "incident.update",
    /// An incident, or something that was said of it, was changed.
    IncidentEdit => "incident.edit",
    /// A backup was put in the place of the database; all sessions and links ended.
    DatabaseRestore => "database.restore",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An entry as it is kept. By which session somebody acted is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEntry {
    /// Its number; later entries have greater ones.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who made the change.
    pub actor: RecordedActor,
    /// The name of what was done, which a later version may have given.
    pub action: String,
    /// The address of the account that it concerns.
    pub account: Option<EmailAddress>,
    /// The id of the key, session, link or incident that it concerns.
    pub subject_id: Option<String>,
    /// The new values, as JSON.
    pub detail: Option<String>,
}

/// Who made a change, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedActor {
    /// The owner of the account with this address.
    Account(EmailAddress),
    /// Whoever may run keygate's commands.
    Operator,
    /// keygate itself.
    Prober,
}

impl fmt::Display for RecordedActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(email) => email.fmt(f),
            Self::Operator => f.write_str("operator"),
            Self::Prober => f.write_str("prober"),
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
