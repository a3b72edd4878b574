use keygate_core::{Code, Incident, IncidentMessage, IncidentState, Problem, UpdateId};
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
        self.say_after(actor, id, None, state, message).await
    }

    /// The same by a form that was made when `latest` was the last that was said: what it says is said once,
    /// however often it is sent.
    pub async fn update_incident_by_form(
        &self,
        actor: Actor,
        id: &str,
        latest: &str,
        state: Option<IncidentState>,
        message: IncidentMessage,
    ) -> Result<Incident, Problem> {
        let latest = UpdateId::parse(latest);
        let said = self.say_after(actor, id, latest, state, message).await;
        match said {
            Err(problem) if problem.message == SAID_BEFORE => self.get_incident(id).await,
            said => said,
        }
    }

    async fn say_after(
        &self,
        actor: Actor,
        id: &str,
        latest: Option<UpdateId>,
        state: Option<IncidentState>,
        message: IncidentMessage,
    ) -> Result<Incident, Problem> {
        let id = parse_id(id)?;
        let policy = self.policy.status.clone();
        let said = self.change_incident(actor, Action::IncidentUpdate, id, move |incident, now| {
            if latest.is_some_and(|latest| is_said_since(incident, latest, state, &message)) {
                return Err(Problem::new(Code::InvalidRequest, SAID_BEFORE));
            }
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

const SAID_BEFORE: &str = "It was said before.";

/// Whether this was said after the update with the id `latest`, of the same state.
fn is_said_since(
    incident: &Incident,
    latest: UpdateId,
    state: Option<IncidentState>,
    message: &IncidentMessage,
) -> bool {
    let mut updates = incident.updates.iter();
    updates.any(|update| {
        update.id > latest
            && update.message == *message
            && state.is_none_or(|state| state == update.state)
    })
}

fn is_probed(policy: &StatusPolicy, outage: &Incident) -> bool {
    let mut components = outage.components.iter();
    components.any(|id| policy.component(id).is_some())
}
