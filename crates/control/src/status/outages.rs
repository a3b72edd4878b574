use std::time::Duration;

use keygate_core::{
    ComponentId, Incident, IncidentId, IncidentKind, IncidentMessage, IncidentState, IncidentTitle,
    IncidentUpdate, Timestamp, UpdateId,
};
use keygate_storage::{Action, Actor, ChangeIncident, LatestProbe, StorageError};

use super::{Component, ProbeFault, report::OUT_AFTER};
use crate::Control;

impl Control {
    /// Opens an outage of a component of which the newest probes all failed, and closes it when all
    /// succeeded. They are the newest three, the newest first; `fault` is why the newest failed.
    pub(super) async fn follow_outage(
        &self,
        component: &Component,
        newest: &[LatestProbe],
        fault: Option<ProbeFault>,
    ) -> Result<(), StorageError> {
        let Some(first) = self.first_in_a_row(newest) else {
            return Ok(());
        };
        let open = self.store.lookup_outage(component.id.clone()).await?;
        match (open, first.is_up) {
            (Some(outage), true) => self.close_outage(outage, first.at).await,
            (None, false) if !self.is_maintained(component, newest, first.at).await? => {
                self.open_outage(component, first.at, fault).await
            }
            _ => Ok(()),
        }
    }

    /// The oldest of three probes that say the same, with no gap between them.
    fn first_in_a_row<'a>(&self, newest: &'a [LatestProbe]) -> Option<&'a LatestProbe> {
        let max_gap = self.policy.status.max_gap();
        let follow = |pair: &[LatestProbe]| {
            pair[0].is_up == pair[1].is_up && pair[1].at.plus(max_gap) >= pair[0].at
        };
        let are_enough = newest.len() == OUT_AFTER as usize;
        newest
            .last()
            .filter(|_| are_enough && newest.windows(2).all(follow))
    }

    async fn open_outage(
        &self,
        component: &Component,
        starts_at: Timestamp,
        fault: Option<ProbeFault>,
    ) -> Result<(), StorageError> {
        let now = self.clock.now();
        let why = fault.map(|fault| format!(": {fault}")).unwrap_or_default();
        let title = format!("{} is down", component.name);
        let outage = Incident {
            id: IncidentId::generate(now, &*self.random),
            kind: IncidentKind::Outage,
            title: IncidentTitle::parse(&title).expect("the name of a component is short"),
            components: vec![component.id.clone()],
            starts_at,
            ends_at: None,
            updates: vec![IncidentUpdate {
                id: UpdateId::generate(now, &*self.random),
                at: now,
                state: IncidentState::Investigating,
                message: probers_message(&format!("{OUT_AFTER} probes in a row failed{why}.")),
            }],
        };
        let detail = super::incidents::detail(&outage);
        let audit = self.incident_entry(Actor::Prober, Action::IncidentCreate, outage.id, &detail);
        if self.store.insert_incident(outage, audit).await? == Ok(true) {
            tracing::warn!(component = %component.id, %starts_at, "{title}");
            self.board.forget().await;
        }
        Ok(())
    }

    pub(super) async fn close_outage(
        &self,
        outage: Incident,
        ends_at: Timestamp,
    ) -> Result<(), StorageError> {
        let lasted = ends_at.as_millis() - outage.starts_at.as_millis();
        let lasted = Duration::from_millis(u64::try_from(lasted).unwrap_or(0));
        let message = format!("Probes succeed again, after {}.", in_words(lasted));
        self.resolve_outage(&outage, ends_at, message).await
    }

    /// Closes outages of components that neither this node nor another probes.
    pub(super) async fn close_unprobed_outages(&self) -> Result<(), StorageError> {
        let claims = self.store.list_claims().await?;
        let is_claimed = |id: &ComponentId| claims.iter().any(|claim| claim.component == *id);
        let is_unprobed = |incident: &Incident| {
            !self.is_probed(incident) && !incident.components.iter().any(is_claimed)
        };
        let now = self.clock.now();
        let mut outages = self.store.list_open_incidents(now).await?;
        outages.retain(|open| open.kind == IncidentKind::Outage && is_unprobed(open));
        for outage in outages {
            let message = "It is no longer probed.".to_owned();
            self.resolve_outage(&outage, now, message).await?;
        }
        Ok(())
    }

    /// Closes an outage, unless somebody else has done so meanwhile.
    async fn resolve_outage(
        &self,
        outage: &Incident,
        ends_at: Timestamp,
        message: String,
    ) -> Result<(), StorageError> {
        let (id, text) = (outage.id, probers_message(&message));
        let action = Action::IncidentUpdate;
        let resolved = self.change_incident(Actor::Prober, action, id, move |outage, now| {
            let update = now.update(IncidentState::Resolved, text.clone());
            let detail = super::incidents::update_detail(&update);
            outage.resolve_outage(update, ends_at)?;
            Ok(detail)
        });
        if let Ok(ChangeIncident::Changed(outage)) = resolved.await? {
            tracing::info!(title = outage.title.as_str(), "{message}");
        }
        Ok(())
    }

    /// Whether maintenance of a component was being done during one of these probes, since the first.
    async fn is_maintained(
        &self,
        component: &Component,
        probes: &[LatestProbe],
        since: Timestamp,
    ) -> Result<bool, StorageError> {
        let open = self.store.list_open_incidents(since).await?;
        let is_during = |incident: &Incident| {
            let mut probes = probes.iter();
            probes.any(|probe| incident.is_maintenance_of(&component.id, probe.at))
        };
        Ok(open.iter().any(is_during))
    }
}

fn probers_message(text: &str) -> IncidentMessage {
    IncidentMessage::parse(text).expect("keygate's own words are a message")
}

/// `12 minutes`
fn in_words(duration: Duration) -> String {
    let (count, unit) = match duration.as_secs() {
        seconds @ ..120 => (seconds.max(1), "second"),
        seconds @ ..7_200 => (seconds / 60, "minute"),
        seconds => (seconds / 3_600, "hour"),
    };
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{ending}")
}
