use keygate_core::{Code, Incident, IncidentKind, IncidentMessage, IncidentState, Problem};
use keygate_storage::{Action, Actor};

use super::{INCIDENT_STATES, not_found, update_detail};
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
        self.refuse_state(&incident, state)?;
        let ends = matches!(state, IncidentState::Resolved | IncidentState::Completed);
        let ends_at = (ends && !incident.is_over(now)).then_some(now);
        incident.ends_at = ends_at.or(incident.ends_at);
        let update = self.new_update(state, message);
        incident.updates.push(update.clone());
        let detail = update_detail(&update);
        let audit = self.incident_entry(actor, Action::IncidentUpdate, incident.id, &detail);
        let added = self
            .store
            .add_incident_update(incident.id, update, ends_at, audit)
            .await;
        if !added.map_err(unavailable)? {
            return Err(not_found());
        }
        self.board.forget().await;
        Ok(incident)
    }

    /// How far somebody can say that an incident is.
    pub fn next_states(&self, incident: &Incident) -> Vec<IncidentState> {
        let now = self.clock.now();
        let current = incident.state(now);
        match incident.kind {
            _ if incident.is_over(now) => vec![current],
            IncidentKind::Maintenance => vec![current, IncidentState::Completed],
            IncidentKind::Outage if self.is_probed(incident) => {
                let is_open = |state: &IncidentState| *state != IncidentState::Resolved;
                INCIDENT_STATES.into_iter().filter(is_open).collect()
            }
            IncidentKind::Outage | IncidentKind::Incident => INCIDENT_STATES.into(),
        }
    }

    fn refuse_state(&self, incident: &Incident, state: IncidentState) -> Result<(), Problem> {
        let allowed = self.next_states(incident);
        if allowed.contains(&state) {
            return Ok(());
        }
        let why = match incident.kind {
            _ if incident.is_over(self.clock.now()) => " It is over.",
            IncidentKind::Maintenance => " Its times say so.",
            IncidentKind::Outage => " It was opened by probes, and is closed when they succeed.",
            IncidentKind::Incident => "",
        };
        let words: Vec<&str> = allowed.iter().map(|state| state.as_str()).collect();
        let message = format!("\"state\" must be {} here.{why}", words.join(" or "));
        Err(Problem::new(Code::InvalidParameter, message).with_param("state"))
    }

    /// Whether probes can still say that it is over.
    pub(in crate::status) fn is_probed(&self, outage: &Incident) -> bool {
        let policy = &self.policy.status;
        let mut components = outage.components.iter();
        components.any(|id| policy.component(id).is_some())
    }
}
