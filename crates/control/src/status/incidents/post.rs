use keygate_core::{
    Code, INCIDENT_STATES, Incident, IncidentId, IncidentKind, IncidentMessage, IncidentState,
    IncidentUpdate, PostIncident, Problem, ScheduleMaintenance, Timestamp, UpdateId, check_begun,
    check_order,
};
use keygate_storage::{Action, Actor};

use super::{detail, sorted};
use crate::Control;

impl Control {
    /// An id for what a form is to make: it makes one incident, however often it is sent.
    pub fn new_incident_form(&self) -> IncidentId {
        IncidentId::generate(self.clock.now(), &*self.random)
    }

    /// Posts an incident.
    pub async fn post_incident(
        &self,
        actor: Actor,
        post: PostIncident,
    ) -> Result<Incident, Problem> {
        self.post_incident_by_form(actor, post, self.new_incident_form())
            .await
    }

    /// Posts the incident that a form asks for, once: when the form is sent again, it is shown as it has
    /// become, and what asks for something else is refused.
    pub async fn post_incident_by_form(
        &self,
        actor: Actor,
        post: PostIncident,
        id: IncidentId,
    ) -> Result<Incident, Problem> {
        let now = self.clock.now();
        let state = post.state.unwrap_or(IncidentState::Investigating);
        let is_over = state == IncidentState::Resolved;
        if !INCIDENT_STATES.contains(&state) {
            let rule = "must be investigating, identified, monitoring or resolved";
            return Err(Problem::invalid_parameter("state", rule));
        }
        let starts_at = post.starts_at.unwrap_or(now);
        check_begun(starts_at, now)?;
        let says = move |before: &Incident| {
            is_begun_like(before, state) && post.starts_at.is_none_or(|at| at == before.starts_at)
        };
        self.insert(
            actor,
            says,
            Incident {
                id,
                kind: IncidentKind::Incident,
                title: post.title,
                components: sorted(post.components),
                starts_at,
                ends_at: is_over.then_some(now),
                updates: vec![self.first_update(now, state, post.message)],
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
        self.schedule_maintenance_by_form(actor, planned, self.new_incident_form())
            .await
    }

    /// Announces the maintenance that a form asks for, once.
    pub async fn schedule_maintenance_by_form(
        &self,
        actor: Actor,
        planned: ScheduleMaintenance,
        id: IncidentId,
    ) -> Result<Incident, Problem> {
        let now = self.clock.now();
        check_order(planned.starts_at, planned.ends_at)?;
        if planned.ends_at <= now {
            return Err(Problem::invalid_parameter(
                "ends_at",
                "must be in the future",
            ));
        }
        let state = IncidentState::Scheduled;
        let span = (planned.starts_at, Some(planned.ends_at));
        self.insert(
            actor,
            move |before| (before.starts_at, before.ends_at) == span,
            Incident {
                id,
                kind: IncidentKind::Maintenance,
                title: planned.title,
                components: sorted(planned.components),
                starts_at: planned.starts_at,
                ends_at: Some(planned.ends_at),
                updates: vec![self.first_update(now, state, planned.message)],
            },
        )
        .await
    }

    fn first_update(
        &self,
        now: Timestamp,
        state: IncidentState,
        message: IncidentMessage,
    ) -> IncidentUpdate {
        IncidentUpdate {
            id: UpdateId::generate(now, &*self.random),
            at: now,
            state,
            message,
        }
    }

    /// Inserts what a form asks for. Where it has before, `is_meant` says whether it asks for the same in the
    /// same time and state.
    async fn insert(
        &self,
        actor: Actor,
        is_meant: impl Fn(&Incident) -> bool,
        incident: Incident,
    ) -> Result<Incident, Problem> {
        let detail = detail(&incident);
        let audit = self.incident_entry(actor, Action::IncidentCreate, incident.id, &detail);
        let inserted = self.store.insert_incident(incident.clone(), audit).await;
        if inserted?? {
            self.board.forget().await;
            return Ok(incident);
        }
        let before = self.get_incident(&incident.id.to_string()).await?;
        if is_meant(&before) && says_the_same(&before, &incident) {
            Ok(before)
        } else {
            Err(made_before(&before))
        }
    }
}

fn is_begun_like(before: &Incident, state: IncidentState) -> bool {
    before
        .updates
        .first()
        .is_some_and(|first| first.state == state)
}

fn says_the_same(before: &Incident, incident: &Incident) -> bool {
    let first = |incident: &Incident| incident.updates.first().map(|first| first.message.clone());
    before.kind == incident.kind
        && before.title == incident.title
        && before.components == incident.components
        && first(before) == first(incident)
}

/// What was typed anew is not to be lost in silence.
fn made_before(before: &Incident) -> Problem {
    let message = format!(
        "This form was sent before, and made \"{}\", which is not what it asks for now. Nothing of this is saved: correct that one on its page, or send this again to make another.",
        before.title.as_str()
    );
    Problem::new(Code::InvalidRequest, message)
}
