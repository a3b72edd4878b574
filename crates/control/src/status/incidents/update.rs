use keygate_core::{Incident, IncidentMessage, IncidentState, Problem};
use keygate_storage::{Action, Actor};

use super::{changed, parse_id, update_detail};
use crate::{Control, status::StatusPolicy};

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
        let id = parse_id(id)?;
        let policy = self.policy.status.clone();
        let said = self.change_incident(actor, Action::IncidentUpdate, id, move |incident, now| {
            let state = state.unwrap_or_else(|| incident.state(now.at));
            let update = now.update(state, message.clone());
            let detail = update_detail(&update);
            incident.add_update(update, is_probed(&policy, incident))?;
            Ok(detail)
        });
        changed(said.await)
    }

    /// How far somebody can say that an incident is.
    pub fn next_states(&self, incident: &Incident) -> Vec<IncidentState> {
        incident.next_states(self.clock.now(), self.is_probed(incident))
    }

    /// Whether probes can still say that it is over.
    pub(in crate::status) fn is_probed(&self, outage: &Incident) -> bool {
        is_probed(&self.policy.status, outage)
    }
}

fn is_probed(policy: &StatusPolicy, outage: &Incident) -> bool {
    let mut components = outage.components.iter();
    components.any(|id| policy.component(id).is_some())
}
