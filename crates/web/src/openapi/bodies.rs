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

/// Something is wrong, or was.
#[derive(ToSchema)]
#[schema(as = PostIncident)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostIncidentBody {
    #[schema(schema_with = types::incident_title)]
    title: (),
    #[schema(schema_with = types::incident_message)]
    message: (),
    /// The ids of the components that it concerns; everything if it is left out.
    #[schema(nullable = false)]
    components: Option<Vec<String>>,
    #[schema(schema_with = types::new_incident_state)]
    state: Option<()>,
    /// When it began: RFC 3339 with an offset, not in the future. Now, if it is left out.
    #[schema(format = DateTime, nullable = false)]
    starts_at: Option<String>,
}

/// Something is to be done.
#[derive(ToSchema)]
#[schema(as = ScheduleMaintenance)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleMaintenanceBody {
    #[schema(schema_with = types::incident_title)]
    title: (),
    #[schema(schema_with = types::incident_message)]
    message: (),
    /// The ids of the components that it concerns; everything if it is left out.
    #[schema(nullable = false)]
    components: Option<Vec<String>>,
    /// When it is to begin: RFC 3339 with an offset.
    #[schema(format = DateTime)]
    starts_at: String,
    /// When it is to be over, in the future.
    #[schema(format = DateTime)]
    ends_at: String,
}

/// What is to be different about an incident: at least one of these.
#[derive(ToSchema)]
#[schema(as = EditIncident, min_properties = 1)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditIncidentBody {
    #[schema(schema_with = types::incident_title)]
    title: Option<()>,
    /// The ids of the components that it concerns; everything if it is empty.
    #[schema(nullable = false)]
    components: Option<Vec<String>>,
    /// When it began, or is to begin: RFC 3339 with an offset.
    #[schema(format = DateTime, nullable = false)]
    starts_at: Option<String>,
    /// When maintenance is to be over, or an incident was, if it is.
    #[schema(format = DateTime, nullable = false)]
    ends_at: Option<String>,
}

/// What there is to say of an incident.
#[derive(ToSchema)]
#[schema(as = UpdateIncident)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateIncidentBody {
    #[schema(schema_with = types::incident_message)]
    message: (),
    #[schema(schema_with = types::incident_state)]
    state: Option<()>,
}

/// What should have been said of an incident.
#[derive(ToSchema)]
#[schema(as = EditIncidentUpdate)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditUpdateBody {
    #[schema(schema_with = types::incident_message)]
    message: (),
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
