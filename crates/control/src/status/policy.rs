use std::time::Duration;

use keygate_core::{ComponentId, ComponentName};

/// A part of the service, as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its id.
    pub id: ComponentId,
    /// What it is called.
    pub name: ComponentName,
}

impl Component {
    /// What every keygate has.
    fn own() -> [Self; 3] {
        [
            (ComponentId::management_api(), "Management API"),
            (ComponentId::data_plane(), "Data plane"),
            (ComponentId::storage(), "Storage"),
        ]
        .map(|(id, name)| Self {
            id,
            name: ComponentName::parse(name).expect("a short line"),
        })
    }
}

/// What is probed, and how often.
#[derive(Debug, Clone)]
pub struct StatusPolicy {
    /// The components, in the order in which they are shown; none where nothing is probed.
    pub components: Vec<Component>,
    /// How long from one probe of a component to the next.
    pub interval: Duration,
    /// How long a probe may take before it has failed.
    pub timeout: Duration,
}

impl Default for StatusPolicy {
    /// What every keygate has, each 30 seconds, in at most 5.
    fn default() -> Self {
        Self {
            components: Component::own().into(),
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
        }
    }
}

impl StatusPolicy {
    /// The component with this id.
    pub(crate) fn component(&self, id: &ComponentId) -> Option<&Component> {
        self.components.iter().find(|component| component.id == *id)
    }

    /// How far apart two probes may be for the time between them to be known.
    pub(crate) fn max_gap(&self) -> Duration {
        self.interval * 2
    }

    /// For how long nothing is heard of a prober that has fallen silent. Probes that are answered and one
    /// that takes as long as it may can be one and the timeout apart.
    pub(crate) fn silence(&self) -> Duration {
        self.interval + (self.interval / 3).max(self.timeout * 3 / 2)
    }

    /// How long the last probe says how a component does.
    pub(crate) fn fresh_for(&self) -> Duration {
        self.max_gap() + self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_slow_answer_is_not_silent() {
        for (interval, timeout) in [(30, 5), (30, 30), (5, 5), (3_600, 5)] {
            let policy = StatusPolicy {
                interval: Duration::from_secs(interval),
                timeout: Duration::from_secs(timeout),
                ..StatusPolicy::default()
            };
            assert!(policy.silence() > policy.interval + policy.timeout);
        }
    }
}
