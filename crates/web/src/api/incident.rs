use keygate_core::{
    ComponentId, Incident, IncidentId, IncidentKind, IncidentMessage, IncidentState, IncidentTitle,
    IncidentUpdate, Timestamp, UpdateId,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::types;

/// Something that went wrong, or maintenance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Incident)]
pub struct IncidentResponse {
    /// Unique.
    #[schema(value_type = String, format = "uuid")]
    id: IncidentId,
    #[schema(schema_with = types::incident_kind)]
    kind: IncidentKind,
    #[schema(schema_with = types::incident_state)]
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
    /// What was said of it, oldest first.
    updates: Vec<IncidentUpdateResponse>,
}

/// Something that was said of an incident.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IncidentUpdate)]
pub struct IncidentUpdateResponse {
    /// Unique.
    #[schema(value_type = String, format = "uuid")]
    id: UpdateId,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(schema_with = types::incident_state)]
    state: IncidentState,
    /// What was said: plain text, whose lines end with LF.
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

    pub(crate) fn all(incidents: Vec<Incident>, now: Timestamp) -> Vec<Self> {
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
