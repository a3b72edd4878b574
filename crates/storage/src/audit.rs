use std::fmt;

use async_trait::async_trait;
use keygate_core::{AccountId, SessionId, Timestamp};

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
    /// The id of the key or session it concerns.
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
    /// A one-time link for a new account was made.
    InvitationCreate => "invitation.create",
    /// Somebody signed in.
    SessionCreate => "session.create",
    /// Somebody signed out.
    SessionDelete => "session.delete",
    /// A key was issued.
    KeyIssue => "key.issue",
    /// A key's name, scopes or switch was changed.
    KeyUpdate => "key.update",
    /// A key was revoked for good.
    KeyRevoke => "key.revoke",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The record of changes. Entries are written by the methods that make the changes.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// The newest entries of one account, or of all, newest first.
    async fn list_audit_entries(
        &self,
        account_id: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StorageError>;
}
