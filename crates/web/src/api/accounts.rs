//! `/api/accounts`

mod create;

pub(crate) use create::create;

use keygate_core::{Account, AccountId, EmailAddress, Role, Timestamp};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::openapi::types;

#[derive(OpenApi)]
#[openapi(paths(create::create))]
pub(crate) struct Reference;

/// An account, to its owner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountResponse {
    /// Unique.
    #[schema(value_type = String, format = "uuid")]
    id: AccountId,
    /// The address of its owner, in its canonical spelling.
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    #[schema(schema_with = types::role)]
    role: Role,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
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
