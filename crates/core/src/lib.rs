//! The rules of keygate, without input or output: what a key looks like, who owns it, and whether
//! it is accepted.
//!
//! Time and randomness are parameters here ([`Clock`], [`Random`]), so that every rule can be
//! tested at its exact border.

mod account;
mod audit;
mod clock;
mod component;
mod denial;
mod evaluate;
mod id;
mod incident;
pub mod key;
pub mod limits;
mod link;
mod network;
mod password;
mod problem;
mod random;
mod scope;
mod serde_text;
mod text;
mod timestamp;
mod token;
mod unicode;

pub use account::{Account, AccountSummary, EmailAddress, InvalidEmail, Role};
pub use audit::{Action, RecordedActor, RecordedEntry};
pub use clock::{Clock, MONOTONIC_LAG, SystemClock};
#[cfg(feature = "testing")]
pub use clock::{ManualClock, thread_cpu_time};
pub use component::{ComponentId, ComponentName, Health, InvalidComponentName};
pub use evaluate::{Attempt, Credential, Decision, Denial, Misuse, evaluate};
pub use id::{
    AccountId, FormId, IncidentId, KeyId, LinkId, ProberId, RecorderId, SessionId, UpdateId,
};
pub use incident::{
    INCIDENT_STATES, Incident, IncidentEdit, IncidentKind, IncidentMessage, IncidentState,
    IncidentTitle, IncidentUpdate, InvalidMessage, InvalidTitle, PostIncident, ScheduleMaintenance,
    check_begun, check_order,
};
pub use key::{ApiKey, IssuedKey, KeyChanges, KeyDetails, KeyState, KeyStatus};
pub use link::{Link, LinkKind, OneTimeToken};
pub use network::{ClientMark, client_network, client_site};
pub use password::{InvalidPassword, Password};
pub use problem::{Code, Problem};
#[cfg(feature = "testing")]
pub use random::SeededRandom;
pub use random::{OsRandom, Random};
pub use scope::{Scope, Scopes};
pub use text::folded;
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use token::{Token, TokenHash};
