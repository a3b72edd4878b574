use keygate_core::{
    ComponentId, Incident, IncidentId, IncidentKind, IncidentMessage, IncidentState, IncidentTitle,
    Problem, Timestamp,
};
use keygate_storage::{Action, Actor};

use super::{INCIDENT_STATES, detail, sorted};
use crate::{Control, unavailable};

/// Something is wrong, or was.
#[derive(Debug, Clone)]
pub struct PostIncident {
    /// What it is called.
    pub title: IncidentTitle,
    /// What is said of it.
    pub message: IncidentMessage,
    /// What it concerns; everything if it is empty.
    pub components: Vec<ComponentId>,
    /// How far it is; `investigating` if it is left out.
    pub state: Option<IncidentState>,
    /// When it began; now if it is left out.
    pub starts_at: Option<Timestamp>,
}

/// Something is to be done.
#[derive(Debug, Clone)]
pub struct ScheduleMaintenance {
    /// What it is called.
    pub title: IncidentTitle,
    /// What is said of it.
    pub message: IncidentMessage,
    /// What it concerns; everything if it is empty.
    pub components: Vec<ComponentId>,
    /// When it is to begin.
    pub starts_at: Timestamp,
    /// When it is to be over.
    pub ends_at: Timestamp,
}

impl Control {
    /// Posts an incident.
    pub async fn post_incident(
        &self,
        actor: Actor,
        post: PostIncident,
    ) -> Result<Incident, Problem> {
        let now = self.clock.now();
        let state = post.state.unwrap_or(IncidentState::Investigating);
        let is_over = state == IncidentState::Resolved;
        if !INCIDENT_STATES.contains(&state) {
            let rule = "must be investigating, identified, monitoring or resolved";
            return Err(Problem::invalid_parameter("state", rule));
        }
        let starts_at = post.starts_at.unwrap_or(now);
        refuse_future(starts_at, now)?;
        self.insert(
            actor,
            Incident {
                id: IncidentId::generate(now, &*self.random),
                kind: IncidentKind::Incident,
                title: post.title,
                components: sorted(post.components),
                starts_at,
                ends_at: is_over.then_some(now),
                updates: vec![self.new_update(state, post.message)],
            },
        )
        .await
    }

    /// Announces maintenance.
    pub async fn schedule_maintenance(
        &self,
        actor: Actor,
        planned: ScheduleMaintenance,
    ) -> Result<Incident, Problem> {
        let now = self.clock.now();
        refuse_turned_around(planned.starts_at, planned.ends_at)?;
        if planned.ends_at <= now {
            return Err(Problem::invalid_parameter(
                "ends_at",
                "must be in the future",
            ));
        }
        let state = IncidentState::Scheduled;
        self.insert(
            actor,
            Incident {
                id: IncidentId::generate(now, &*self.random),
                kind: IncidentKind::Maintenance,
                title: planned.title,
                components: sorted(planned.components),
                starts_at: planned.starts_at,
                ends_at: Some(planned.ends_at),
                updates: vec![self.new_update(state, planned.message)],
            },
        )
        .await
    }

    async fn insert(&self, actor: Actor, incident: Incident) -> Result<Incident, Problem> {
        let detail = detail(&incident);
        let audit = self.incident_entry(actor, Action::IncidentCreate, incident.id, &detail);
        let inserted = self.store.insert_incident(incident.clone(), audit).await;
        inserted.map_err(unavailable)?;
        self.board.forget().await;
        Ok(incident)
    }
}

pub(super) fn refuse_future(starts_at: Timestamp, now: Timestamp) -> Result<(), Problem> {
    if starts_at <= now {
        return Ok(());
    }
    let rule = "must not be in the future; what is to come is maintenance";
    Err(Problem::invalid_parameter("starts_at", rule))
}

pub(super) fn refuse_turned_around(
    starts_at: Timestamp,
    ends_at: Timestamp,
) -> Result<(), Problem> {
    if starts_at < ends_at {
        return Ok(());
    }
    Err(Problem::invalid_parameter(
        "ends_at",
        "must be after starts_at",
    ))
}
