//! How the service does: what probes say of its components, and incidents.

mod board;
mod incidents;
mod known;
mod outages;
mod policy;
mod prober;
mod report;
mod target;
mod uptime;

pub(crate) use board::Board;
pub use incidents::{
    PostIncident, ScheduleMaintenance, parse_incident_message, parse_incident_state,
    parse_incident_title,
};
pub use policy::{Component, StatusPolicy};
pub use prober::Probers;
pub use report::{ComponentStatus, Day, Health, Hour, Status};
pub use target::{ProbeFault, Target};
pub use uptime::Uptime;
