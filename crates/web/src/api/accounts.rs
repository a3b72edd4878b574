//! `/api/accounts`

mod create;

pub(crate) use create::create;

use keygate_core::{Account, AccountId, EmailAddress, Role, Timestamp};
use serde::Serialize;

/// An account, to its owner.
#[derive(Debug, Serialize)]
pub(crate) struct AccountResponse {
    id: AccountId,
    email: EmailAddress,
    /// What its owner may do.
    role: Role,
    created_at: Timestamp,
}

impl From<Account> for AccountResponse {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            email: account.email,
            role: account.role,
            created_at: account.created_at,
        }
    }
}
