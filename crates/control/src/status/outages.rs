use std::time::Duration;

use keygate_core::{
    Incident, IncidentId, IncidentKind, IncidentMessage, IncidentState, IncidentTitle,
    IncidentUpdate, Timestamp, UpdateId,
};
use keygate_storage::{Action, Actor, IncidentPage, LatestProbe, StorageError};

use super::{Component, ProbeFault, report::OUT_AFTER};
use crate::{Control, PAGE};

impl Control {
    /// Opens an outage of a component of which the newest probes all failed, and closes it when all
    /// succeeded. They are the newest three, the newest first; `fault` is why the newest failed.
    pub(super) async fn follow_outage(
        &self,
        component: &Component,
        newest: &[LatestProbe],
        fault: Option<ProbeFault>,
    ) -> Result<(), StorageError> {
        let (Some(first), Some(last)) = (self.first_in_a_row(newest), newest.first()) else {
            return Ok(());
        };
        let open = self.store.lookup_outage(component.id.clone()).await?;
        match (open, first.is_up) {
            (Some(outage), true) => self.close_outage(outage, first.at).await,
            (None, false) if !self.is_maintained(component, last.at).await? => {
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
            updates: vec![self.probers_word(
                now,
                IncidentState::Investigating,
                &format!("{OUT_AFTER} probes in a row failed{why}."),
            )],
        };
        let detail = super::incidents::detail(&outage);
        let audit = self.incident_entry(Actor::Prober, Action::IncidentCreate, outage.id, &detail);
        tracing::warn!(component = %component.id, %starts_at, "{title}");
        self.store.insert_incident(outage, audit).await?;
        self.board.forget().await;
        Ok(())
    }

    async fn close_outage(&self, outage: Incident, ends_at: Timestamp) -> Result<(), StorageError> {
        let lasted = ends_at.as_millis() - outage.starts_at.as_millis();
        let lasted = Duration::from_millis(u64::try_from(lasted).unwrap_or(0));
        let message = format!("Probes succeed again, after {}.", in_words(lasted));
        let update = self.probers_word(self.clock.now(), IncidentState::Resolved, &message);
        let detail = super::incidents::update_detail(&update);
        let audit = self.incident_entry(Actor::Prober, Action::IncidentUpdate, outage.id, &detail);
        tracing::info!(title = outage.title.as_str(), "{message}");
        self.store
            .add_incident_update(outage.id, update, Some(ends_at), audit)
            .await?;
        self.board.forget().await;
        Ok(())
    }

    fn probers_word(&self, at: Timestamp, state: IncidentState, message: &str) -> IncidentUpdate {
        IncidentUpdate {
            id: UpdateId::generate(at, &*self.random),
            at,
            state,
            message: IncidentMessage::parse(message).expect("keygate's own words are a message"),
        }
    }

    /// Whether maintenance of a component was being done.
    async fn is_maintained(
        &self,
        component: &Component,
        at: Timestamp,
    ) -> Result<bool, StorageError> {
        let open = IncidentPage {
            ended_after: Some(at),
            before: None,
            limit: PAGE,
        };
        let open = self.store.list_incidents(open).await?;
        Ok(open
            .iter()
            .any(|incident| incident.is_maintenance_of(&component.id, at)))
    }
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
