//! How an incident may change. A backend applies these rules in the transaction that writes, to the
//! incident as stored, since it may have changed after the caller has read it.

use std::time::Duration;

use serde::Serialize;

use super::{
    Incident, IncidentKind, IncidentMessage, IncidentState, IncidentTitle, IncidentUpdate,
};
use crate::{Code, ComponentId, Problem, Random, Timestamp, UpdateId};

/// The states of incidents that people post; they can begin in any of these.
pub const INCIDENT_STATES: [IncidentState; 4] = [
    IncidentState::Investigating,
    IncidentState::Identified,
    IncidentState::Monitoring,
    IncidentState::Resolved,
];

/// A request to post an incident.
#[derive(Debug, Clone)]
pub struct PostIncident {
    /// Its title.
    pub title: IncidentTitle,
    /// The message.
    pub message: IncidentMessage,
    /// The affected components; all of them if it is empty.
    pub components: Vec<ComponentId>,
    /// The status; `investigating` if it is left out.
    pub state: Option<IncidentState>,
    /// When it began; now if it is left out.
    pub starts_at: Option<Timestamp>,
}

/// A request to schedule maintenance.
#[derive(Debug, Clone)]
pub struct ScheduleMaintenance {
    /// Its title.
    pub title: IncidentTitle,
    /// The message.
    pub message: IncidentMessage,
    /// The affected components; all of them if it is empty.
    pub components: Vec<ComponentId>,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// Changes to an incident; `None` leaves a field as it is and is not serialized.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IncidentEdit {
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<IncidentTitle>,
    /// The affected components; all of them if it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<ComponentId>>,
    /// When it started or will start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// When it ended, or when maintenance will end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

impl Incident {
    /// An id for the next update. Updates are ordered by their ids, and clocks of several nodes
    /// differ, so it is greater than all before it.
    pub fn next_update_id(&self, now: Timestamp, random: &dyn Random) -> UpdateId {
        let last = self
            .updates
            .iter()
            .filter_map(|said| said.id.made_at())
            .max();
        let after = last.map(|last| last.plus(Duration::from_millis(1)));
        UpdateId::generate(after.map_or(now, |after| after.max(now)), random)
    }

    /// The states that a person can set at `now`. While probes can close an outage, people cannot.
    pub fn next_states(&self, now: Timestamp, is_probed: bool) -> Vec<IncidentState> {
        let current = self.state(now);
        match self.kind {
            _ if self.is_over(now) => vec![current],
            IncidentKind::Maintenance => vec![current, IncidentState::Completed],
            IncidentKind::Outage if is_probed => {
                let is_open = |state: &IncidentState| *state != IncidentState::Resolved;
                INCIDENT_STATES.into_iter().filter(is_open).collect()
            }
            IncidentKind::Outage | IncidentKind::Incident => INCIDENT_STATES.into(),
        }
    }

    /// Adds an update, and ends the incident if the update's state is a last one. An incident that has
    /// ended cannot be reopened.
    pub fn add_update(&mut self, update: IncidentUpdate, is_probed: bool) -> Result<(), Problem> {
        let (state, now) = (update.state, update.at);
        let allowed = self.next_states(now, is_probed);
        if !allowed.contains(&state) {
            return Err(self.not_allowed(&allowed, now));
        }
        if state.is_last() && !self.is_over(now) {
            self.end(now);
        }
        self.updates.push(update);
        Ok(())
    }

    /// Ends an outage because probes succeed, unless it has ended already: another node may have
    /// done the same.
    pub fn resolve_outage(
        &mut self,
        update: IncidentUpdate,
        ends_at: Timestamp,
    ) -> Result<(), Problem> {
        if self.ends_at.is_some() {
            return Err(Problem::new(
                Code::InvalidParameter,
                "The incident is over.",
            ));
        }
        self.end(ends_at);
        self.updates.push(update);
        Ok(())
    }

    /// Edits it. The component and the times of an outage cannot be edited, since probes measured
    /// them.
    pub fn edit(&mut self, edit: IncidentEdit, now: Timestamp) -> Result<(), Problem> {
        self.check_edit(&edit, now)?;
        if let Some(title) = edit.title {
            self.title = title;
        }
        if let Some(components) = edit.components {
            self.components = components;
        }
        self.starts_at = edit.starts_at.unwrap_or(self.starts_at);
        self.ends_at = edit.ends_at.or(self.ends_at);
        Ok(())
    }

    /// Edits the message of the update with this id, and returns the id.
    pub fn edit_update(
        &mut self,
        id: Option<UpdateId>,
        message: IncidentMessage,
    ) -> Result<UpdateId, Problem> {
        let mut updates = self.updates.iter_mut();
        let found = updates.find(|said| Some(said.id) == id);
        let update = found
            .ok_or_else(|| Problem::new(Code::NotFound, "The incident has no such update."))?;
        update.message = message;
        Ok(update.id)
    }

    /// The updates that are new or changed since `before`.
    pub fn updates_beyond<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = &'a IncidentUpdate> {
        let said = self.updates.iter();
        said.filter(|update| !before.updates.contains(update))
    }

    /// Ends it, but not before its start, since clocks of several nodes differ. Maintenance that is
    /// cancelled never started.
    fn end(&mut self, at: Timestamp) {
        if self.kind == IncidentKind::Maintenance {
            self.starts_at = self.starts_at.min(at);
        }
        self.ends_at = Some(at.max(self.starts_at));
    }

    fn not_allowed(&self, allowed: &[IncidentState], now: Timestamp) -> Problem {
        let why = match self.kind {
            _ if self.is_over(now) => " The incident is over.",
            IncidentKind::Maintenance => " Its start and end decide this.",
            IncidentKind::Outage => " It was opened by probes, and is closed when they succeed.",
            IncidentKind::Incident => "",
        };
        let words: Vec<&str> = allowed.iter().map(|state| state.as_str()).collect();
        let message = format!("\"state\" must be {} here.{why}", words.join(" or "));
        Problem::new(Code::InvalidParameter, message).with_param("state")
    }

    fn check_edit(&self, edit: &IncidentEdit, now: Timestamp) -> Result<(), Problem> {
        let starts_at = edit.starts_at.unwrap_or(self.starts_at);
        let ends_at = edit.ends_at.or(self.ends_at);
        if let Some(ends_at) = ends_at
            && (edit.starts_at.is_some() || edit.ends_at.is_some())
        {
            check_order(starts_at, ends_at)?;
        }
        let ends_later = edit.ends_at.is_some_and(|end| end > now);
        match self.kind {
            IncidentKind::Maintenance if ends_later && self.is_over(now) => Err(ends_in_future()),
            IncidentKind::Maintenance => Ok(()),
            IncidentKind::Outage => check_measured(edit),
            IncidentKind::Incident => {
                check_begun(starts_at, now)?;
                match edit.ends_at {
                    Some(_) if self.ends_at.is_none() => Err(still_open()),
                    Some(_) if ends_later => Err(ends_in_future()),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Refuses an incident that starts in the future.
pub fn check_begun(starts_at: Timestamp, now: Timestamp) -> Result<(), Problem> {
    if starts_at <= now {
        return Ok(());
    }
    let rule = "must not be in the future; schedule maintenance instead";
    Err(Problem::invalid_parameter("starts_at", rule))
}

/// Refuses an end that is not after the start.
pub fn check_order(starts_at: Timestamp, ends_at: Timestamp) -> Result<(), Problem> {
    if starts_at < ends_at {
        return Ok(());
    }
    let rule = "must be after starts_at";
    Err(Problem::invalid_parameter("ends_at", rule))
}

/// Refuses to change values that probes measured.
fn check_measured(edit: &IncidentEdit) -> Result<(), Problem> {
    let measured = [
        ("components", edit.components.is_some()),
        ("starts_at", edit.starts_at.is_some()),
        ("ends_at", edit.ends_at.is_some()),
    ];
    let given = measured.into_iter().find(|(_, is_given)| *is_given);
    given.map_or(Ok(()), |(param, _)| {
        let rule = "was found by probes and cannot be changed";
        Err(Problem::invalid_parameter(param, rule))
    })
}

fn ends_in_future() -> Problem {
    Problem::invalid_parameter("ends_at", "must not be in the future: it is over")
}

fn still_open() -> Problem {
    let why = "\"ends_at\" is set by an update with the state resolved.";
    Problem::new(Code::InvalidParameter, why).with_param("ends_at")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IncidentId, SeededRandom};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn said(at_millis: i64, state: IncidentState) -> IncidentUpdate {
        IncidentUpdate {
            id: UpdateId::generate(at(at_millis), &SeededRandom::new(1)),
            at: at(at_millis),
            state,
            message: IncidentMessage::parse("A disk").expect("a message"),
        }
    }

    fn incident(kind: IncidentKind, starts_at: i64, ends_at: Option<i64>) -> Incident {
        Incident {
            id: IncidentId::generate(at(0), &SeededRandom::new(1)),
            kind,
            title: IncidentTitle::parse("Slow").expect("a title"),
            components: vec![ComponentId::storage()],
            starts_at: at(starts_at),
            ends_at: ends_at.map(at),
            updates: vec![said(0, IncidentState::Identified)],
        }
    }

    fn until(ends_at: i64) -> IncidentEdit {
        IncidentEdit {
            ends_at: Some(at(ends_at)),
            ..IncidentEdit::default()
        }
    }

    #[test]
    fn completed_maintenance_stays_completed_on_a_clock_that_is_behind() {
        let mut planned = incident(IncidentKind::Maintenance, 100, Some(200));
        let done = said(150, IncidentState::Completed);
        planned.add_update(done, false).expect("it ends");
        assert_eq!(planned.ends_at, Some(at(150)));
        for now in [0, 149, 150] {
            assert_eq!(planned.state(at(now)), IncidentState::Completed, "{now}");
            let before = planned.clone();
            let refused = planned.edit(until(300), at(now)).expect_err("it is over");
            assert_eq!(refused.param.as_deref(), Some("ends_at"));
            assert_eq!(planned, before, "a refusal changes nothing");
        }
        let storage = ComponentId::storage();
        assert!(planned.is_maintenance_of(&storage, at(149)));
        assert!(!planned.is_maintenance_of(&storage, at(150)));
    }

    #[test]
    fn an_end_is_never_before_the_start() {
        let mut called_off = incident(IncidentKind::Maintenance, 100, Some(200));
        let done = said(50, IncidentState::Completed);
        called_off.add_update(done, false).expect("it ends");
        assert_eq!(
            (called_off.starts_at, called_off.ends_at),
            (at(50), Some(at(50)))
        );

        // Began by a clock that was ahead of the one by which it ends.
        let mut posted = incident(IncidentKind::Incident, 100, None);
        let resolved = || said(50, IncidentState::Resolved);
        posted.add_update(resolved(), false).expect("it ends");
        assert_eq!(posted.ends_at, Some(at(100)));
        assert!(posted.is_over(at(50)));

        let mut outage = incident(IncidentKind::Outage, 100, None);
        outage.resolve_outage(resolved(), at(50)).expect("it ends");
        assert_eq!(outage.ends_at, Some(at(100)));
        let mut edit = until(99);
        edit.starts_at = Some(at(99));
        let mut planned = incident(IncidentKind::Maintenance, 100, Some(200));
        planned
            .edit(edit, at(0))
            .expect_err("it would take no time");
        planned.edit(until(100), at(0)).expect_err("nor would this");
    }

    #[test]
    fn an_outage_is_resolved_once() {
        let mut outage = incident(IncidentKind::Outage, 100, None);
        let resolved = said(200, IncidentState::Resolved);
        outage
            .add_update(resolved.clone(), true)
            .expect_err("probes say so, not people");
        outage
            .resolve_outage(resolved.clone(), at(200))
            .expect("it ends");
        let before = outage.clone();
        outage
            .resolve_outage(resolved, at(300))
            .expect_err("it is over");
        assert_eq!(outage, before);
    }

    #[test]
    fn what_is_over_can_be_spoken_of_but_not_begun_again() {
        let mut posted = incident(IncidentKind::Incident, 0, None);
        let resolved = said(10, IncidentState::Resolved);
        posted.add_update(resolved, false).expect("it ends");
        let again = said(20, IncidentState::Monitoring);
        posted.add_update(again, false).expect_err("it is over");
        let note = said(20, IncidentState::Resolved);
        posted.add_update(note, false).expect("more is said");
        assert_eq!(posted.ends_at, Some(at(10)), "the end stays");
    }

    #[test]
    fn what_is_said_later_stands_later_whatever_the_clocks_say() {
        let mut posted = incident(IncidentKind::Incident, 0, None);
        let random = SeededRandom::new(7);
        for now in [5_000, 5_000, 3_000, 5_001] {
            let id = posted.next_update_id(at(now), &random);
            let update = IncidentUpdate {
                id,
                ..said(now, IncidentState::Monitoring)
            };
            posted.add_update(update, false).expect("it is open");
        }
        assert!(posted.updates.is_sorted_by(|one, next| one.id < next.id));
    }
}
