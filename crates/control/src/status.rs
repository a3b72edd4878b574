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
pub use policy::{Component, StatusPolicy};
pub use prober::Probers;
pub use report::{ComponentStatus, Day, Hour, Status};
pub use target::{ProbeFault, Target};
pub use uptime::Uptime;
