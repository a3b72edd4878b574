use async_trait::async_trait;
use keygate_core::{Account, AccountId, EmailAddress, Role, Timestamp, TokenHash};

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
    /// What its owner may do.
    pub role: Role,
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

/// An account with how many keys it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The account.
    pub account: Account,
    /// Its keys that are active.
    pub active_keys: u64,
    /// All its keys.
    pub keys: u64,
}

/// Which part of all accounts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountPage {
    /// Only those with this in their canonical address.
    pub search: Option<String>,
    /// Only accounts newer than this one.
    pub after: Option<AccountId>,
    /// At most so many.
    pub limit: u32,
}

/// A one-time link with which the owner of an account gives it a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordReset {
    /// The hash of the link's token.
    pub token_hash: TokenHash,
    /// Whose password it is.
    pub account_id: AccountId,
    /// Who made it; `None` for the operator.
    pub created_by: Option<AccountId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer taken.
    pub expires_at: Timestamp,
}

/// A one-time link that lets somebody make an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The hash of the link's token.
    pub token_hash: TokenHash,
    /// What it is good for.
    pub kind: InvitationKind,
    /// Who made it; `None` for the operator.
    pub created_by: Option<AccountId>,
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

    /// The account with this id, its keys counted as they are at `now`.
    async fn lookup_account_summary(
        &self,
        account_id: AccountId,
        now: Timestamp,
    ) -> Result<Option<AccountSummary>, StorageError>;

    /// Accounts, oldest first, their keys counted as they are at `now`.
    async fn list_accounts(
        &self,
        page: AccountPage,
        now: Timestamp,
    ) -> Result<Vec<AccountSummary>, StorageError>;

    /// Gives an account another role, ends its sessions, and forgets all links that it made or that
    /// reset its password. False if there is no such account.
    async fn set_role(
        &self,
        account_id: AccountId,
        role: Role,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// Replaces an account's password, ends its sessions, and forgets the link to reset it. False if
    /// there is no such account.
    async fn set_password(
        &self,
        account_id: AccountId,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// Keeps a link to reset a password, in the place of the account's one before. False if there is no
    /// such account.
    async fn insert_password_reset(
        &self,
        reset: PasswordReset,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// The link with this token and its account.
    async fn lookup_password_reset(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<(PasswordReset, Account)>, StorageError>;

    /// The same as [`set_password`](Self::set_password), by a link that is used up. False, and nothing
    /// changes, if it is unknown, has expired at `audit.at`, or its account is suspended.
    async fn reset_password(
        &self,
        token_hash: TokenHash,
        password_hash: String,
        audit: AuditEntry,
    ) -> Result<bool, StorageError>;

    /// Suspends an account, ends its sessions, and forgets all links that it made or that reset its
    /// password. False if there is no such account.
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
