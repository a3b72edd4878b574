//! Schemas of the core's types, which know nothing of the reference.

use keygate_control::{Action, Health, INCIDENT_STATES, KeyStatus, LinkKind};
use keygate_core::{
    Code, IncidentKind, IncidentMessage, IncidentState, IncidentTitle, Password, Role, Scope,
    key::KeyName,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type,
    },
};

type Built = RefOr<Schema>;

/// The scopes that a new key may have.
const ISSUABLE: [Scope; 3] = [Scope::Chat, Scope::Read, Scope::Write];

fn text(description: &str) -> ObjectBuilder {
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
    let rule = "What the key is called. White space around it is cut; control characters, and those that turn \
        the direction of text, are refused.";
    let length = 1..=KeyName::MAX_CHARS;
    let name = text(rule)
        .min_length(Some(*length.start()))
        .max_length(Some(*length.end()));
    name.into()
}

pub(crate) fn new_scopes() -> Built {
    let default = serde_json::json!([Scope::Chat.as_str(), Scope::Read.as_str()]);
    let scopes = scopes(&ISSUABLE, "What the key opens. Duplicates are folded.");
    scopes.default(Some(default)).into()
}

pub(crate) fn changed_scopes() -> Built {
    let rule = "What the key opens from now on, in place of what it did. Duplicates are folded.";
    scopes(&Scope::ALL, rule).into()
}

pub(crate) fn shown_scopes() -> Built {
    scopes(&Scope::ALL, "What the key opens, in this order.").into()
}

pub(crate) fn issued_scopes() -> Built {
    scopes(&ISSUABLE, "What the key opens, in this order.").into()
}

pub(crate) fn new_password() -> Built {
    let password = text("The new password. It must not be easy to guess.");
    let password = password.format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)));
    password
        .min_length(Some(Password::MIN_CHARS))
        .max_length(Some(Password::MAX_CHARS))
        .into()
}

pub(crate) fn role() -> Built {
    let names = [Role::Member, Role::Admin].map(Role::as_str);
    text("What its owner may do.")
        .enum_values(Some(names))
        .into()
}

pub(crate) fn link_kind() -> Built {
    let names = LinkKind::ALL.map(LinkKind::as_str);
    text("What it is good for: making the first account, making an account, or giving one a new password.")
        .enum_values(Some(names))
        .into()
}

pub(crate) fn action() -> Built {
    let names = Action::ALL.iter().map(|action| action.as_str());
    text("What was done.").enum_values(Some(names)).into()
}

pub(crate) fn health() -> Built {
    text("How it does.")
        .enum_values(Some(Health::ALL.map(Health::as_str)))
        .into()
}

pub(crate) fn incident_kind() -> Built {
    let names = IncidentKind::ALL.iter().map(|kind| kind.as_str());
    text("How it came to be: found by probes, posted by somebody, or planned.")
        .enum_values(Some(names))
        .into()
}

pub(crate) fn incident_state() -> Built {
    let names = IncidentState::ALL.iter().map(|state| state.as_str());
    text("How far it is.").enum_values(Some(names)).into()
}

/// How far a new incident is.
pub(crate) fn new_incident_state() -> Built {
    let names = INCIDENT_STATES.map(IncidentState::as_str);
    text("How far it is.")
        .enum_values(Some(names))
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
    text("What is to be said of it: plain text, which may have several lines.")
        .min_length(Some(1))
        .max_length(Some(IncidentMessage::MAX_CHARS))
        .into()
}

pub(crate) fn error_type() -> Built {
    let one_of_each = [
        Code::InvalidRequest,
        Code::SessionRequired,
        Code::AdminRequired,
        Code::RateLimitExceeded,
        Code::StorageUnavailable,
    ];
    text("The kind of error, by which OpenAI's clients choose their exception.")
        .enum_values(Some(one_of_each.map(Code::kind)))
        .into()
}

/// Stands for a parameter that chooses keys by their state.
pub(crate) struct KeyStatusName;

impl PartialSchema for KeyStatusName {
    fn schema() -> Built {
        let all = [
            KeyStatus::Active,
            KeyStatus::Inactive,
            KeyStatus::Expired,
            KeyStatus::All,
        ];
        let default = KeyStatus::default().as_str();
        text("")
            .enum_values(Some(all.map(KeyStatus::as_str)))
            .default(Some(default.into()))
            .into()
    }
}

impl ToSchema for KeyStatusName {}

/// Stands for a parameter that chooses entries of the record by what was done.
pub(crate) struct ActionName;

impl PartialSchema for ActionName {
    fn schema() -> Built {
        let names = Action::ALL.iter().map(|action| action.as_str());
        text("").enum_values(Some(names)).into()
    }
}

impl ToSchema for ActionName {}
