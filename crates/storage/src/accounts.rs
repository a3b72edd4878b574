use async_trait::async_trait;
use keygate_core::{Account, AccountId, EmailAddress, Timestamp, TokenHash};

use crate::{AuditEntry, StorageError};

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its id.
    pub id: AccountId,
    /// Its address.
    pub email: EmailAddress,
    /// The password's hash, a PHC string.
    pub password_hash: String,
    /// When.
    pub created_at: Timestamp,
}

/// An account with what is needed to sign in to it.
#[derive(Debug, Clone)]
pub struct StoredAccount {
    /// The account.
    pub account: Account,
    /// The password's hash, a PHC string.
    pub password_hash: String,
}

/// A one-time link that lets somebody make an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The hash of the link's token.
    pub token_hash: TokenHash,
    /// What it is good for.
    pub kind: InvitationKind,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer taken.
    pub expires_at: Timestamp,
}

/// What an invitation is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationKind {
    /// The first account, while there is none.
    Setup,
    /// Any account.
    Invite,
}

impl InvitationKind {
    /// The name under which the kind is kept.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Invite => "invite",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Setup, Self::Invite]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// What lets a new account in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Nothing is asked for.
    Free,
    /// This invitation, which is used up.
    Invitation(TokenHash),
}

/// What became of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertAccount {
    /// It was made.
    Inserted,
    /// Its address has an account already.
    EmailTaken,
    /// The invitation is unknown, used up or expired, or was for the first account only.
    InvitationInvalid,
}

/// Accounts, and the invitations that make them.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes an account and uses up its invitation.
    async fn insert_account(
        &self,
        account: NewAccount,
        admission: Admission,
        audit: AuditEntry,
    ) -> Result<InsertAccount, StorageError>;

    /// The account of this address, with its password's hash.
    async fn lookup_account(
        &self,
        email: &EmailAddress,
    ) -> Result<Option<StoredAccount>, StorageError>;

    /// All accounts, oldest first.
    async fn list_accounts(&self) -> Result<Vec<Account>, StorageError>;

    /// Replaces an account's password and ends its sessions. False if there is no such account.
    async fn set_password(
        &self,
        account_id: AccountId,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// Suspends an account and ends its sessions. False if there is no such account.
    async fn suspend_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// Lifts an account's suspension. False if there is no such account.
    async fn resume_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// Keeps an invitation. One for the first account takes the place of the one before.
    async fn insert_invitation(
        &self,
        invitation: Invitation,
        audit: AuditEntry,
    ) -> Result<(), StorageError>;

    /// The invitation with this token.
    async fn lookup_invitation(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<Invitation>, StorageError>;
}
