//! Incidents and maintenance, with their updates.

mod change;

use std::fmt;

use crate::{
    ComponentId, IncidentId, Timestamp, UpdateId,
    serde_text::{as_text, words},
    text::{LineFault, TURNS_DIRECTION, check_line, is_control, is_no_xml},
    unicode::{is_invisible, turns_direction},
};

pub use change::{
    INCIDENT_STATES, IncidentEdit, PostIncident, ScheduleMaintenance, check_begun, check_order,
};

/// The title of an incident: one line of 1 to 120 Unicode scalar values, trimmed, no control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentTitle(String);

/// The text is not a valid title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTitle {
    /// Nothing that can be seen is left once white space is trimmed.
    #[error("must not be empty")]
    Empty,
    /// More than 120 characters are left.
    #[error("must have at most {} characters", IncidentTitle::MAX_CHARS)]
    TooLong,
    /// It contains a control character.
    #[error("must be one line without control characters")]
    ControlCharacter,
    /// It contains a character that changes the direction of the text around it.
    #[error("{TURNS_DIRECTION}")]
    TurnsDirection,
}

impl IncidentTitle {
    /// The most Unicode scalar values a title has.
    pub const MAX_CHARS: usize = 120;

    /// Trims and checks a title.
    pub fn parse(text: &str) -> Result<Self, InvalidTitle> {
        match check_line(text, Self::MAX_CHARS) {
            Ok(line) if line.chars().any(is_out_of_place) => Err(InvalidTitle::ControlCharacter),
            Ok(line) => Ok(Self(line.to_owned())),
            Err(LineFault::Empty) => Err(InvalidTitle::Empty),
            Err(LineFault::TooLong) => Err(InvalidTitle::TooLong),
            Err(LineFault::ControlCharacter) => Err(InvalidTitle::ControlCharacter),
            Err(LineFault::TurnsDirection) => Err(InvalidTitle::TurnsDirection),
        }
    }

    /// The title.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The message of an update: plain text of 1 to 10,000 Unicode scalar values, which may have
/// several lines, ended by LF however they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentMessage(String);

/// The text is not a valid message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// Nothing that can be seen is left once white space is trimmed.
    #[error("must not be empty")]
    Empty,
    /// More than 10,000 characters are left.
    #[error("must have at most 10,000 characters")]
    TooLong,
    /// It contains a control character other than a line end or a tab.
    #[error("must not contain control characters other than line ends and tabs")]
    ControlCharacter,
    /// It contains a character that changes the direction of the text around it.
    #[error("{TURNS_DIRECTION}")]
    TurnsDirection,
}

impl IncidentMessage {
    /// The most Unicode scalar values a message has.
    pub const MAX_CHARS: usize = 10_000;

    /// Trims and checks a message.
    pub fn parse(text: &str) -> Result<Self, InvalidMessage> {
        let message = text.trim().replace("\r\n", "\n").replace('\r', "\n");
        if message.chars().all(is_invisible) {
            Err(InvalidMessage::Empty)
        } else if message.chars().count() > Self::MAX_CHARS {
            Err(InvalidMessage::TooLong)
        } else if message.chars().any(is_out_of_place) {
            Err(InvalidMessage::ControlCharacter)
        } else if message.chars().any(turns_direction) {
            Err(InvalidMessage::TurnsDirection)
        } else {
            Ok(Self(message))
        }
    }

    /// The message.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that neither a page nor a feed can show as text.
fn is_out_of_place(c: char) -> bool {
    is_control(c) && !matches!(c, '\n' | '\t') || is_no_xml(c)
}

words! {
    /// The kind of an incident.
    IncidentKind {
        /// Found by probes.
        Outage => "outage",
        /// Posted by somebody.
        Incident => "incident",
        /// Planned.
        Maintenance => "maintenance",
    }
}

words! {
    /// The status of an incident.
    IncidentState {
        /// The cause is being investigated.
        Investigating => "investigating",
        /// The cause is known.
        Identified => "identified",
        /// It was fixed and is being watched.
        Monitoring => "monitoring",
        /// It is over.
        Resolved => "resolved",
        /// Maintenance is scheduled.
        Scheduled => "scheduled",
        /// Maintenance has begun.
        InProgress => "in_progress",
        /// Maintenance is over.
        Completed => "completed",
    }
}

/// Something that went wrong, or maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// Its kind.
    pub kind: IncidentKind,
    /// Its title.
    pub title: IncidentTitle,
    /// The affected components; all of them if it is empty.
    pub components: Vec<ComponentId>,
    /// When it started or will start.
    pub starts_at: Timestamp,
    /// When it ended, or when maintenance will end.
    pub ends_at: Option<Timestamp>,
    /// Its updates, oldest first.
    pub updates: Vec<IncidentUpdate>,
}

/// An update of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentUpdate {
    /// Its id.
    pub id: UpdateId,
    /// When it was posted.
    pub at: Timestamp,
    /// The status of the incident at that time.
    pub state: IncidentState,
    /// Its message.
    pub message: IncidentMessage,
}

impl IncidentState {
    /// Whether it says that an incident is over.
    pub fn is_last(self) -> bool {
        matches!(self, Self::Resolved | Self::Completed)
    }
}

impl Incident {
    /// Its status at `now`: that of maintenance follows from its times, that of others is the last one
    /// posted. Once it was said to be over it is, even for a clock that is behind.
    pub fn state(&self, now: Timestamp) -> IncidentState {
        let is_over = self.ends_at.is_some_and(|end| end <= now)
            || self.updates.iter().any(|said| said.state.is_last());
        match (self.kind, is_over) {
            (IncidentKind::Maintenance, true) => IncidentState::Completed,
            (IncidentKind::Maintenance, false) if self.starts_at <= now => {
                IncidentState::InProgress
            }
            (IncidentKind::Maintenance, false) => IncidentState::Scheduled,
            (_, true) => IncidentState::Resolved,
            (_, false) => {
                let last = self.updates.last();
                last.map_or(IncidentState::Investigating, |update| update.state)
            }
        }
    }

    /// Whether it is over at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.state(now).is_last()
    }

    /// Whether it affects a component. One that names no component affects all of them.
    pub fn concerns(&self, component: &ComponentId) -> bool {
        self.components.is_empty() || self.components.contains(component)
    }

    /// Whether it is maintenance of a component that is, or was, being done at `at`.
    pub fn is_maintenance_of(&self, component: &ComponentId, at: Timestamp) -> bool {
        self.kind == IncidentKind::Maintenance
            && self.concerns(component)
            && self.starts_at <= at
            && self.ends_at.is_none_or(|end| end > at)
    }
}

impl fmt::Display for IncidentTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for IncidentMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_text!(IncidentTitle, IncidentTitle::parse);
as_text!(IncidentMessage, IncidentMessage::parse);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRandom;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn incident(kind: IncidentKind, starts_at: i64, ends_at: Option<i64>) -> Incident {
        let random = SeededRandom::new(1);
        Incident {
            id: IncidentId::generate(at(0), &random),
            kind,
            title: IncidentTitle::parse("Slow").expect("a title"),
            components: Vec::new(),
            starts_at: at(starts_at),
            ends_at: ends_at.map(at),
            updates: vec![IncidentUpdate {
                id: UpdateId::generate(at(0), &random),
                at: at(0),
                state: IncidentState::Identified,
                message: IncidentMessage::parse("A disk").expect("a message"),
            }],
        }
    }

    #[test]
    fn maintenance_goes_by_its_times() {
        let planned = incident(IncidentKind::Maintenance, 100, Some(200));
        for (now, expected) in [
            (99, IncidentState::Scheduled),
            (100, IncidentState::InProgress),
            (199, IncidentState::InProgress),
            (200, IncidentState::Completed),
        ] {
            assert_eq!(planned.state(at(now)), expected, "{now}");
        }
        let called_off = incident(IncidentKind::Maintenance, 100, Some(50));
        assert_eq!(called_off.state(at(50)), IncidentState::Completed);
    }

    #[test]
    fn an_incident_goes_by_what_was_said_last() {
        let open = incident(IncidentKind::Incident, 0, None);
        assert_eq!(open.state(at(1)), IncidentState::Identified);
        assert!(!open.is_over(at(1)));
        let over = incident(IncidentKind::Outage, 0, Some(10));
        assert_eq!(over.state(at(10)), IncidentState::Resolved);
        assert!(over.is_over(at(10)));
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(
            IncidentTitle::parse(" <b>a</b> ").expect("text").as_str(),
            "<b>a</b>"
        );
        for (text, fault) in [
            ("a\r\nb", InvalidTitle::ControlCharacter),
            ("a\u{ffff}b", InvalidTitle::ControlCharacter),
            ("a\u{2066}b", InvalidTitle::TurnsDirection),
            (" \u{2060}", InvalidTitle::Empty),
            (&*"a".repeat(121), InvalidTitle::TooLong),
        ] {
            assert_eq!(IncidentTitle::parse(text), Err(fault));
        }
    }

    #[test]
    fn a_message_keeps_its_lines_and_nothing_that_is_no_text() {
        let message = IncidentMessage::parse("\r\na\r\nb\rc\n\td\n").expect("text");
        assert_eq!(message.as_str(), "a\nb\nc\n\td");
        IncidentMessage::parse(&"\u{1f511}".repeat(10_000)).expect("10,000 characters");
        for (text, fault) in [
            ("a\0b", InvalidMessage::ControlCharacter),
            ("a\u{202e}b", InvalidMessage::TurnsDirection),
            ("a\u{ffff}b", InvalidMessage::ControlCharacter),
            ("\r\n", InvalidMessage::Empty),
            (&*"a".repeat(10_001), InvalidMessage::TooLong),
        ] {
            assert_eq!(IncidentMessage::parse(text), Err(fault));
        }
    }
}
