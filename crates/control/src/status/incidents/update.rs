use keygate_core::{
    Code, Incident, IncidentKind, IncidentMessage, IncidentState, Problem, Timestamp,
};
use keygate_storage::{Action, Actor};

use super::{OPEN_STATES, not_found, update_detail};
use crate::{Control, unavailable};

impl Control {
    /// Says something of an incident, and how far it is; as far as before if that is left out.
    ///
    /// An incident is over with `resolved`, maintenance with `completed`, before its time too. An outage
    /// that keygate opened is closed by keygate. What is over stays over.
    pub async fn update_incident(
        &self,
        actor: Actor,
        id: &str,
        state: Option<IncidentState>,
        message: IncidentMessage,
    ) -> Result<Incident, Problem> {
        let mut incident = self.get_incident(id).await?;
        let now = self.clock.now();
        let state = state.unwrap_or_else(|| incident.state(now));
        self.refuse_state(&incident, state, now)?;
        let ends = matches!(state, IncidentState::Resolved | IncidentState::Completed);
        if ends && !incident.is_over(now) {
            incident.ends_at = Some(now);
        }
        let update = self.new_update(state, message);
        incident.updates.push(update.clone());
        let detail = update_detail(&update);
        let audit = self.incident_entry(actor, Action::IncidentUpdate, incident.id, &detail);
        let added = self
            .store
            .add_incident_update(incident.id, update, incident.ends_at, audit)
            .await;
        if !added.map_err(unavailable)? {
            return Err(not_found());
        }
        self.forget_board().await;
        Ok(incident)
    }

    fn refuse_state(
        &self,
        incident: &Incident,
        state: IncidentState,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let current = incident.state(now);
        if incident.is_over(now) {
            return allow(state, &[current], "It is over.");
        }
        match incident.kind {
            IncidentKind::Maintenance => allow(
                state,
                &[current, IncidentState::Completed],
                "Its times say so.",
            ),
            IncidentKind::Outage if self.is_probed(incident) => allow(
                state,
                &OPEN_STATES,
                "It was opened by probes, and is closed when they succeed.",
            ),
            IncidentKind::Outage | IncidentKind::Incident => {
                let [one, two, three] = OPEN_STATES;
                allow(state, &[one, two, three, IncidentState::Resolved], "")
            }
        }
    }

    /// Whether probes can still say that it is over.
    fn is_probed(&self, outage: &Incident) -> bool {
        let policy = &self.policy.status;
        let mut components = outage.components.iter();
        components.any(|id| policy.component(id).is_some())
    }
}

fn allow(state: IncidentState, allowed: &[IncidentState], why: &str) -> Result<(), Problem> {
    if allowed.contains(&state) {
        return Ok(());
    }
    let mut words: Vec<&str> = allowed.iter().map(|state| state.as_str()).collect();
    words.dedup();
    let message = format!("\"state\" must be {} here. {why}", words.join(" or "));
    Err(Problem::new(Code::InvalidParameter, message.trim_end().to_owned()).with_param("state"))
}
