//! One-time links: invitations and links to reset a password.

use crate::{AccountId, EmailAddress, LinkId, Timestamp, Token, serde_text::words};

/// A token that works once, to be sent to somebody as a link.
#[derive(Debug)]
pub struct OneTimeToken {
    /// The link's id, by which it can be withdrawn.
    pub id: LinkId,
    /// The token.
    pub token: Token,
    /// The first moment at which it no longer works.
    pub expires_at: Timestamp,
}

/// A one-time link as it is listed: everything but its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// Its purpose.
    pub kind: LinkKind,
    /// Whose password it resets, if it does.
    pub account_id: Option<AccountId>,
    /// The address of that account, or of the only one that an invitation makes.
    pub account: Option<EmailAddress>,
    /// The address of whoever made it; `None` for the operator.
    pub created_by: Option<EmailAddress>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The first moment at which it no longer works.
    pub expires_at: Timestamp,
}

words! {
    /// The purpose of a one-time link.
    LinkKind {
        /// Making the first account.
        Setup => "setup",
        /// Making an account.
        Invitation => "invitation",
        /// Giving an account a new password.
        PasswordReset => "password_reset",
    }
}
