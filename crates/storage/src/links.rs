use async_trait::async_trait;
use keygate_core::{
    Account, AccountId, EmailAddress, Link, LinkId, LinkKind, SessionId, Timestamp, TokenHash,
};

use crate::{AuditEntry, InsertAccount, Made, StorageError};

/// How many set-up links work at once. Each node that starts makes one, and must not end those of
/// the others; somebody may have one open already.
pub const MAX_SETUP_LINKS: u32 = 10;

/// A one-time link with which the owner of an account gives it a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordReset {
    /// By which it is listed and withdrawn.
    pub id: LinkId,
    /// The hash of the link's token.
    pub token_hash: TokenHash,
    /// Whose password it is.
    pub account_id: AccountId,
    /// Who made it; `None` for the operator.
    pub created_by: Option<AccountId>,
    /// By which session it was made, if by one.
    pub session_id: Option<SessionId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer taken.
    pub expires_at: Timestamp,
}

/// A one-time link that lets somebody make an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// By which it is listed and withdrawn.
    pub id: LinkId,
    /// The hash of the link's token.
    pub token_hash: TokenHash,
    /// What it is good for.
    pub kind: InvitationKind,
    /// The address of the only account that it makes; any, where there is none.
    pub email: Option<EmailAddress>,
    /// Who made it; `None` for the operator.
    pub created_by: Option<AccountId>,
    /// By which session it was made, if by one.
    pub session_id: Option<SessionId>,
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
    /// Any account but the first.
    Invite,
}

impl InvitationKind {
    /// Why it makes no account, if so; `is_set_up` says whether there is any. The first account is an
    /// admin's, which takes the link that only the operator has.
    pub const fn refusal(self, is_set_up: bool) -> Option<InsertAccount> {
        match self {
            Self::Setup if is_set_up => Some(InsertAccount::InvitationInvalid),
            Self::Invite if !is_set_up => Some(InsertAccount::NotSetUp),
            Self::Setup | Self::Invite => None,
        }
    }

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

impl From<InvitationKind> for LinkKind {
    fn from(kind: InvitationKind) -> Self {
        match kind {
            InvitationKind::Setup => Self::Setup,
            InvitationKind::Invite => Self::Invitation,
        }
    }
}

/// Which part of all links to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkPage {
    /// Only links before this one.
    pub before: Option<LinkId>,
    /// At most so many.
    pub limit: u32,
}

/// One-time links: invitations and links to reset a password. What they do is [`AccountStore`]'s.
///
/// [`AccountStore`]: crate::AccountStore
#[async_trait]
pub trait LinkStore: Send + Sync {
    /// Keeps an invitation. One for the first account is kept beside the [`MAX_SETUP_LINKS`] - 1 newest
    /// ones before it. False, and nothing is kept, if it is for the first account and there is one already, or if
    /// there is an invitation with this id.
    async fn insert_invitation(
        &self,
        invitation: Invitation,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError>;

    /// The invitation with this token.
    async fn lookup_invitation(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<Invitation>, StorageError>;

    /// Keeps a link to reset a password, in the place of the account's one before. False if there is no
    /// such account.
    async fn insert_password_reset(
        &self,
        reset: PasswordReset,
        audit: AuditEntry,
    ) -> Result<Made<bool>, StorageError>;

    /// The link to reset a password with this token, and its account.
    async fn lookup_password_reset(
        &self,
        token_hash: TokenHash,
    ) -> Result<Option<(PasswordReset, Account)>, StorageError>;

    /// Links of every kind that still work at `now`, newest first.
    async fn list_links(&self, page: LinkPage, now: Timestamp) -> Result<Vec<Link>, StorageError>;

    /// The link with this id, expired or not.
    async fn lookup_link(&self, id: LinkId) -> Result<Option<Link>, StorageError>;

    /// Withdraws a link. False if there is none with this id.
    async fn delete_link(&self, id: LinkId, audit: AuditEntry) -> Result<Made<bool>, StorageError>;
}
