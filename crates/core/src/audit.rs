//! The audit log, as it is read.

use std::fmt;

use crate::{EmailAddress, Timestamp, serde_text::words};

words! {
    /// What was changed.
    Action {
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
        /// A key was renamed, got other scopes, or was activated or deactivated.
        KeyUpdate => "key.update",
        /// A key was revoked for good.
        KeyRevoke => "key.revoke",
        /// An incident was posted, or maintenance scheduled.
        IncidentCreate => "incident.create",
        /// An update of an incident was posted.
        IncidentUpdate => "incident.update",
        /// An incident or one of its updates was edited.
        IncidentEdit => "incident.edit",
        /// A backup was restored; all sessions and links ended.
        DatabaseRestore => "database.restore",
    }
}

/// An audit entry as it is stored. The session that made the change is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEntry {
    /// Its number; later entries have greater numbers.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who made the change.
    pub actor: RecordedActor,
    /// The name of the action, which may be one of a later version.
    pub action: String,
    /// The address of the account that it concerns.
    pub account: Option<EmailAddress>,
    /// The id of the key, session, link or incident that it concerns.
    pub subject_id: Option<String>,
    /// The new values, as JSON.
    pub detail: Option<String>,
}

/// Who made a change, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordedActor {
    /// The owner of the account with this address.
    Account(EmailAddress),
    /// The operator, who runs keygate's commands.
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
