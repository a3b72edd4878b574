use async_trait::async_trait;
use keygate_core::{Account, AccountId, AccountSummary, EmailAddress, Role, Timestamp, TokenHash};

use crate::{AuditEntry, BeginSession, Made, StorageError};

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

/// What lets a new account in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The operator makes it: nothing is asked for.
    Free,
    /// Sign-up is open, which it is as soon as there is an account: a stranger must not have the first.
    Open,
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
    /// There is no account yet, and the first one takes the set-up link or the operator: it is an admin's.
    NotSetUp,
}

/// A password that takes the place of an account's present one.
#[derive(Debug, Clone)]
pub struct NewPassword {
    /// Its hash, a PHC string.
    pub hash: String,
    /// The session that begins with it, if one does.
    pub session: Option<BeginSession>,
}

/// What became of a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetPassword {
    /// It is the account's.
    Set,
    /// The password that was to be replaced had been replaced before.
    Overtaken,
    /// There is no such account.
    NotFound,
}

/// What became of a change of what an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeAccount {
    /// It was made.
    Changed,
    /// There is no such account.
    NotFound,
    /// It is the last one of an admin that is not suspended, and stays so: nobody could look after the
    /// others.
    LastAdmin,
}

/// Accounts.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes an account, uses up its invitation, ends every set-up link, and begins its first session, if
    /// one is given.
    async fn insert_account(
        &self,
        account: NewAccount,
        admission: Admission,
        session: Option<BeginSession>,
        audit: AuditEntry,
    ) -> Result<Made<InsertAccount>, StorageError>;

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

    /// Whether an account that is not suspended is an admin's.
    async fn has_admin(&self) -> Result<bool, StorageError>;

    /// Gives an account another role, ends its sessions, and forgets all links that it made or that
    /// reset its password.
    async fn set_role(
        &self,
        account_id: AccountId,
        role: Role,
        audit: AuditEntry,
    ) -> Result<Made<ChangeAccount>, StorageError>;

    /// Replaces an account's password, ends its sessions, forgets all links that it made or that reset
    /// its password, and begins the new session, if one is given. Where `replaces` is given, it must be
    /// the present password's hash.
    async fn set_password(
        &self,
        account_id: AccountId,
        replaces: Option<String>,
        new: NewPassword,
        audit: AuditEntry,
    ) -> Result<Made<SetPassword>, StorageError>;

    /// The same as [`set_password`](Self::set_password), by a link that is used up. False, and nothing
    /// changes, if it is unknown, has expired at `audit.at`, or its account is suspended.
    async fn reset_password(
        &self,
        token_hash: TokenHash,
        new: NewPassword,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError>;

    /// Suspends an account, ends its sessions, and forgets all links that it made or that reset its
    /// password.
    async fn suspend_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<Made<ChangeAccount>, StorageError>;

    /// Lifts an account's suspension. False if there is no such account.
    async fn resume_account(
        &self,
        account_id: AccountId,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError>;
}
