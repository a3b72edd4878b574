use keygate_core::{Account, AccountId, AccountSummary, EmailAddress, Role, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    fields::parsed,
    schema::{self, ID, TOKEN},
};

/// A request for an account.
#[derive(Deserialize, ToSchema)]
#[schema(as = SignUp, example = json!({
    "email": "ada@example.com",
    "password": "correct horse battery staple",
    "invitation": TOKEN,
}))]
#[serde(deny_unknown_fields)]
pub struct SignUpRequest {
    /// The address of its owner, in any spelling.
    #[schema(format = Email)]
    pub email: String,
    /// The new password.
    #[schema(schema_with = schema::new_password)]
    pub password: String,
    /// The token of a set-up link or of an invitation; not needed where sign-up is open.
    #[schema(nullable = false)]
    pub invitation: Option<String>,
}

/// A request for a session.
#[derive(Deserialize, ToSchema)]
#[schema(as = SignIn, example = json!({
    "email": "ada@example.com",
    "password": "correct horse battery staple",
}))]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The address of the account, in any spelling.
    pub email: String,
    /// The password of the account.
    #[schema(format = Password)]
    pub password: String,
}

/// The present password and the new one.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangePassword, example = json!({
    "current_password": "correct horse battery staple",
    "password": "a wholly different set of words",
}))]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordRequest {
    /// The password that the account has.
    #[schema(format = Password)]
    pub current_password: String,
    /// The new password.
    #[schema(schema_with = schema::new_password)]
    pub password: String,
}

/// A new password, by a one-time link.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResetPassword, example = json!({
    "token": TOKEN,
    "password": "a wholly different set of words",
}))]
#[serde(deny_unknown_fields)]
pub struct ResetPasswordRequest {
    /// The token of the link.
    pub token: String,
    /// The new password.
    #[schema(schema_with = schema::new_password)]
    pub password: String,
}

/// An account, to its owner.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account, example = json!({
    "id": "019df252-b5c0-7df2-9c03-41a4dfca3200",
    "email": "ada@example.com",
    "role": "member",
    "created_at": "2026-05-04T09:30:00.000Z",
}))]
pub struct AccountResponse {
    /// Unique.
    #[schema(value_type = String, format = "uuid")]
    id: AccountId,
    /// The address of its owner, in its canonical spelling.
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    #[schema(schema_with = schema::role)]
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

/// Which accounts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListAccountsQuery {
    /// Only accounts with this in their address.
    #[param(example = json!("ada@"))]
    pub search: Option<String>,
    /// The id of the last account of the previous page: only later ones are listed.
    #[serde(deserialize_with = "after")]
    #[param(value_type = Option<String>, format = "uuid", example = json!(ID))]
    pub after: Option<AccountId>,
}

fn after<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<AccountId>, D::Error> {
    parsed(reader, AccountId::parse, "must be the id of an account")
}

/// An account, to an admin.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountSummary, example = json!({
    "id": "019df252-b5c0-7df2-9c03-41a4dfca3200",
    "email": "ada@example.com",
    "role": "member",
    "active_keys": 1,
    "keys": 2,
    "suspended_at": null,
    "created_at": "2026-05-04T09:30:00.000Z",
}))]
pub struct AccountSummaryResponse {
    /// Unique.
    #[schema(value_type = String, format = "uuid")]
    id: AccountId,
    /// The address of its owner, in its canonical spelling.
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    #[schema(schema_with = schema::role)]
    role: Role,
    /// How many of its keys are active.
    active_keys: u64,
    /// How many keys it has.
    keys: u64,
    /// When it was suspended; null if it is not.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    suspended_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<AccountSummary> for AccountSummaryResponse {
    fn from(summary: AccountSummary) -> Self {
        let account = summary.account;
        Self {
            id: account.id,
            email: account.email,
            role: account.role,
            active_keys: summary.active_keys,
            keys: summary.keys,
            suspended_at: account.suspended_at,
            created_at: account.created_at,
        }
    }
}
