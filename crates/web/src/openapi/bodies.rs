//! The bodies of writes. Handlers take them field by field, so these are for the reference alone.

#![expect(dead_code, reason = "only their schemas are used")]

use utoipa::ToSchema;

use super::types;

/// What a new key is made from.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateKey {
    #[schema(schema_with = types::key_name)]
    name: (),
    #[schema(schema_with = types::new_scopes)]
    scopes: Option<()>,
    /// The first moment at which the key is no longer accepted, in the future: RFC 3339 with an offset. It is
    /// kept to the millisecond. Without it the key does not expire.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// What is to be different about a key: at least one of these.
#[derive(ToSchema)]
#[schema(min_properties = 1)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateKey {
    #[schema(schema_with = types::key_name)]
    name: Option<()>,
    #[schema(schema_with = types::changed_scopes)]
    scopes: Option<()>,
    /// `false` switches the key off without deleting it. `true` switches it on again, if it has not expired and
    /// the account has a place for another active key.
    #[schema(nullable = false)]
    is_active: Option<bool>,
}

/// Somebody wants an account.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignUp {
    /// The address of its owner, in any spelling.
    #[schema(format = Email)]
    email: String,
    #[schema(schema_with = types::new_password)]
    password: (),
    /// The token of a set-up link or of an invitation; not needed where sign-up is open.
    #[schema(nullable = false)]
    invitation: Option<String>,
}

/// Somebody wants a session.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    /// The address of the account, in any spelling.
    email: String,
    /// The password of the account.
    #[schema(format = Password)]
    password: String,
}

/// The present password and the new one.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    /// The password that the account has.
    #[schema(format = Password)]
    current_password: String,
    #[schema(schema_with = types::new_password)]
    password: (),
}

/// A new password, by a one-time link.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetPassword {
    /// The token of the link.
    token: String,
    #[schema(schema_with = types::new_password)]
    password: (),
}
