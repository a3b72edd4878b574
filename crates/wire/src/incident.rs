use keygate_core::{
    Code, ComponentId, Incident, IncidentEdit, IncidentId, IncidentKind, IncidentMessage,
    IncidentState, IncidentTitle, IncidentUpdate, PostIncident, Problem, ScheduleMaintenance,
    Timestamp, UpdateId,
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    fields::{parsed, strings},
    schema::{self, ID, LATER_ID, USED_AT},
};

/// An incident to post.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = PostIncident, example = json!({
    "title": "Slow answers",
    "message": "Answers take several seconds. We are looking for the reason.",
    "components": ["data_plane"],
    "state": "investigating",
    "starts_at": "2026-06-10T07:30:00Z",
}))]
#[serde(deny_unknown_fields)]
pub struct PostIncidentRequest {
    /// What it is called.
    #[schema(schema_with = schema::incident_title)]
    pub title: IncidentTitle,
    /// The message.
    #[schema(schema_with = schema::incident_message)]
    pub message: IncidentMessage,
    /// The ids of the affected components; all of them if it is left out.
    #[serde(deserialize_with = "strings")]
    #[schema(nullable = false)]
    pub components: Option<Vec<String>>,
    /// The status.
    #[schema(schema_with = schema::new_incident_state)]
    pub state: Option<IncidentState>,
    /// When it began: RFC 3339 with an offset, not in the future. Now, if it is left out.
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub starts_at: Option<Timestamp>,
}

impl PostIncidentRequest {
    /// The incident, which concerns these components.
    pub fn concerning(self, components: Vec<ComponentId>) -> PostIncident {
        PostIncident {
            title: self.title,
            message: self.message,
            components,
            state: self.state,
            starts_at: self.starts_at,
        }
    }
}

/// Maintenance to schedule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ScheduleMaintenance, example = json!({
    "title": "New disks",
    "message": "No key can be created or changed for some minutes.",
    "components": ["management_api", "storage"],
    "starts_at": "2026-07-01T02:00:00Z",
    "ends_at": "2026-07-01T04:00:00Z",
}))]
#[serde(deny_unknown_fields)]
pub struct ScheduleMaintenanceRequest {
    /// What it is called.
    #[schema(schema_with = schema::incident_title)]
    pub title: IncidentTitle,
    /// The message.
    #[schema(schema_with = schema::incident_message)]
    pub message: IncidentMessage,
    /// The ids of the affected components; all of them if it is left out.
    #[serde(deserialize_with = "strings")]
    #[schema(nullable = false)]
    pub components: Option<Vec<String>>,
    /// When it is to begin: RFC 3339 with an offset.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// When it is to be over, in the future.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

impl ScheduleMaintenanceRequest {
    /// The maintenance, which concerns these components.
    pub fn concerning(self, components: Vec<ComponentId>) -> ScheduleMaintenance {
        ScheduleMaintenance {
            title: self.title,
            message: self.message,
            components,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
        }
    }
}

/// Changes to an incident: at least one field.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = EditIncident, min_properties = 1, example = json!({
    "title": "Slow answers",
    "components": ["data_plane"],
    "starts_at": "2026-06-10T07:30:00Z",
}))]
#[serde(deny_unknown_fields)]
pub struct EditIncidentRequest {
    /// What it is called.
    #[schema(schema_with = schema::incident_title)]
    pub title: Option<IncidentTitle>,
    /// The ids of the affected components; all of them if it is empty.
    #[serde(deserialize_with = "strings")]
    #[schema(nullable = false)]
    pub components: Option<Vec<String>>,
    /// When it began, or is to begin: RFC 3339 with an offset.
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub starts_at: Option<Timestamp>,
    /// When maintenance is to be over, or an incident was, if it is.
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub ends_at: Option<Timestamp>,
}

impl EditIncidentRequest {
    /// The change, by which the incident concerns these components, if they change.
    pub fn concerning(self, components: Option<Vec<ComponentId>>) -> Result<IncidentEdit, Problem> {
        if self == Self::default() {
            let message =
                "Give at least one of \"title\", \"components\", \"starts_at\", \"ends_at\".";
            return Err(Problem::new(Code::MissingParameter, message));
        }
        Ok(IncidentEdit {
            title: self.title,
            components,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
        })
    }
}

/// What there is to say of an incident.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateIncident, example = json!({
    "message": "A disk is full. We are making room.",
    "state": "identified",
}))]
#[serde(deny_unknown_fields)]
pub struct UpdateIncidentRequest {
    /// The message.
    #[schema(schema_with = schema::incident_message)]
    pub message: IncidentMessage,
    /// The status.
    #[schema(schema_with = schema::incident_state)]
    pub state: Option<IncidentState>,
}

/// The corrected message of an update.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EditIncidentUpdate, example = json!({
    "message": "Answers take several seconds. We are looking for the reason.",
}))]
#[serde(deny_unknown_fields)]
pub struct EditIncidentUpdateRequest {
    /// The message.
    #[schema(schema_with = schema::incident_message)]
    pub message: IncidentMessage,
}

/// Which incidents to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListIncidentsQuery {
    /// The id of the last incident of the previous page: only earlier ones are listed.
    #[serde(deserialize_with = "before")]
    #[param(value_type = Option<String>, format = "uuid", example = json!(LATER_ID))]
    pub before: Option<IncidentId>,
}

fn before<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<IncidentId>, D::Error> {
    parsed(reader, IncidentId::parse, "must be the id of an incident")
}

/// An incident or maintenance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Incident, example = json!({
    "id": ID,
    "kind": "incident",
    "state": "investigating",
    "title": "Slow answers",
    "components": ["data_plane"],
    "starts_at": "2026-06-10T07:30:00.000Z",
    "ends_at": null,
    "updates": [{
        "id": LATER_ID,
        "at": USED_AT,
        "state": "investigating",
        "message": "Answers take several seconds. We are looking for the reason.",
    }],
}))]
pub struct IncidentResponse {
    /// Unique.
    #[schema(value_type = String, format = "uuid")]
    id: IncidentId,
    #[schema(schema_with = schema::incident_kind)]
    kind: IncidentKind,
    #[schema(schema_with = schema::incident_state)]
    state: IncidentState,
    /// What it is called.
    #[schema(value_type = String)]
    title: IncidentTitle,
    /// What it concerns; everything if it is empty.
    #[schema(value_type = Vec<String>)]
    components: Vec<ComponentId>,
    /// When it began, or is to begin.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// When it was over, or maintenance is to be; null where that is not known.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    ends_at: Option<Timestamp>,
    /// The updates, oldest first.
    updates: Vec<IncidentUpdateResponse>,
}

/// An update of an incident.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncidentUpdate)]
pub struct IncidentUpdateResponse {
    /// Unique.
    #[schema(value_type = String, format = "uuid")]
    id: UpdateId,
    /// When it was posted.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(schema_with = schema::incident_state)]
    state: IncidentState,
    /// The message: plain text, whose lines end with LF.
    #[schema(value_type = String)]
    message: IncidentMessage,
}

impl IncidentResponse {
    /// How an incident is at `now`.
    pub fn new(incident: Incident, now: Timestamp) -> Self {
        Self {
            state: incident.state(now),
            id: incident.id,
            kind: incident.kind,
            title: incident.title,
            components: incident.components,
            starts_at: incident.starts_at,
            ends_at: incident.ends_at,
            updates: incident
                .updates
                .into_iter()
                .map(IncidentUpdateResponse::from)
                .collect(),
        }
    }

    /// How these are at `now`.
    pub fn all(incidents: Vec<Incident>, now: Timestamp) -> Vec<Self> {
        let shown = incidents
            .into_iter()
            .map(|incident| Self::new(incident, now));
        shown.collect()
    }
}

impl From<IncidentUpdate> for IncidentUpdateResponse {
    fn from(update: IncidentUpdate) -> Self {
        Self {
            id: update.id,
            at: update.at,
            state: update.state,
            message: update.message,
        }
    }
}
