//! The record of who changed what, as it is read.

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
