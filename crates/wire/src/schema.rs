//! Schemas of the core's types, which know nothing of the reference, and what examples have in common.

use keygate_core::{
    Action, Health, INCIDENT_STATES, IncidentKind, IncidentMessage, IncidentState, IncidentTitle,
    KeyStatus, LinkKind, Password, Role, Scope, key::KeyName,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type,
    },
};

pub(crate) type Built = RefOr<Schema>;

/// The id of a key, an account, a session or a link.
pub const ID: &str = "019e8232-6000-72db-b3e5-60859d948f9c";
/// An id that was made after it.
pub const LATER_ID: &str = "019eb08b-9c00-791a-a31c-ec30cc670184";
/// The token of a one-time link.
pub const TOKEN: &str = "8EKHnDDL0exbFKAhaC96SUeFlG1NRcP6t6bRxHWrghO";
pub(crate) const CREATED_AT: &str = "2026-06-01T08:00:00.000Z";
/// When something was used, or somebody said something.
pub const USED_AT: &str = "2026-06-10T08:00:00.000Z";
pub(crate) const EXPIRES_AT: &str = "2030-01-31T08:00:00.000Z";

/// The scopes that a new key may have.
const ISSUABLE: [Scope; 3] = [Scope::Chat, Scope::Read, Scope::Write];

pub(crate) fn text(description: &str) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.description((!description.is_empty()).then_some(description))
}

fn scopes(allowed: &[Scope], description: &str) -> ArrayBuilder {
    let names = allowed.iter().map(|scope| scope.as_str());
    ArrayBuilder::new()
        .items(text("").enum_values(Some(names)))
        .min_items(Some(1))
        .description(Some(description))
}

pub(crate) fn key_name() -> Built {
    let rule = "The name of the key. White space around it is removed; control characters, and \
        those that change the direction of text, are refused.";
    let length = 1..=KeyName::MAX_CHARS;
    let name = text(rule)
        .min_length(Some(*length.start()))
        .max_length(Some(*length.end()));
    name.into()
}

pub(crate) fn new_scopes() -> Built {
    let default = serde_json::json!([Scope::Chat.as_str(), Scope::Read.as_str()]);
    let scopes = scopes(&ISSUABLE, "The scopes of the key. Duplicates are removed.");
    scopes.default(Some(default)).into()
}

pub(crate) fn changed_scopes() -> Built {
    let rule = "The new scopes of the key, in place of the old ones. Duplicates are removed.";
    scopes(&Scope::ALL, rule).into()
}

pub(crate) fn shown_scopes() -> Built {
    scopes(&Scope::ALL, "The scopes of the key, in this order.").into()
}

pub(crate) fn issued_scopes() -> Built {
    scopes(&ISSUABLE, "The scopes of the key, in this order.").into()
}

pub(crate) fn new_password() -> Built {
    let password = text("The new password. It must not be easy to guess.");
    let password = password.format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)));
    password
        .min_length(Some(Password::MIN_CHARS))
        .max_length(Some(Password::MAX_CHARS))
        .into()
}

/// One of these words.
fn word<T: Copy>(all: &[T], as_str: fn(T) -> &'static str, description: &str) -> ObjectBuilder {
    text(description).enum_values(Some(all.iter().map(|one| as_str(*one))))
}

pub(crate) fn role() -> Built {
    word(Role::ALL, Role::as_str, "What its owner may do.").into()
}

pub(crate) fn link_kind() -> Built {
    let description = "What it is good for: making the first account, making an account, or giving one a new password.";
    word(LinkKind::ALL, LinkKind::as_str, description).into()
}

pub(crate) fn action() -> Built {
    word(Action::ALL, Action::as_str, "What was done.").into()
}

pub(crate) fn health() -> Built {
    word(Health::ALL, Health::as_str, "How it does.").into()
}

pub(crate) fn incident_kind() -> Built {
    let description = "Its kind: found by probes, posted by somebody, or planned.";
    word(IncidentKind::ALL, IncidentKind::as_str, description).into()
}

pub(crate) fn incident_state() -> Built {
    word(IncidentState::ALL, IncidentState::as_str, "The status.").into()
}

/// How far a new incident is.
pub(crate) fn new_incident_state() -> Built {
    word(&INCIDENT_STATES, IncidentState::as_str, "The status.")
        .default(Some(IncidentState::Investigating.as_str().into()))
        .into()
}

pub(crate) fn incident_title() -> Built {
    text("What it is called: one line of plain text.")
        .min_length(Some(1))
        .max_length(Some(IncidentTitle::MAX_CHARS))
        .into()
}

pub(crate) fn incident_message() -> Built {
    text("The message: plain text, which may have several lines.")
        .min_length(Some(1))
        .max_length(Some(IncidentMessage::MAX_CHARS))
        .into()
}

/// Stands for a parameter that chooses keys by their state.
pub(crate) struct KeyStatusName;

impl PartialSchema for KeyStatusName {
    fn schema() -> Built {
        word(KeyStatus::ALL, KeyStatus::as_str, "")
            .default(Some(KeyStatus::default().as_str().into()))
            .into()
    }
}

impl ToSchema for KeyStatusName {}

/// Stands for a parameter that chooses entries of the record by what was done.
pub(crate) struct ActionName;

impl PartialSchema for ActionName {
    fn schema() -> Built {
        word(Action::ALL, Action::as_str, "").into()
    }
}

impl ToSchema for ActionName {}
