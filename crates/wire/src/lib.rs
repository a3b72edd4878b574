//! What stands on the wire: each request and answer of the management API as one type.
//!
//! The struct that is read or written is the schema of the reference, and has its example. What a
//! request says is validated by the types of its fields while it is read ([`Fields`]), so that whoever
//! has one, by the API, a page or a command, has one that is sound in itself.

mod account;
mod audit;
mod fields;
mod health;
mod incident;
mod key;
mod link;
pub mod schema;
mod session;
mod status;

pub use account::{
    AccountResponse, AccountSummaryResponse, ChangePasswordRequest, ListAccountsQuery,
    ResetPasswordRequest, SignInRequest, SignUpRequest,
};
pub use audit::{AuditEntryResponse, ListAuditQuery, ListKeyHistoryQuery};
pub use fields::{Fields, NoRequest, read_field};
pub use health::{ConcernResponse, HealthResponse, ReadinessResponse};
pub use incident::{
    EditIncidentRequest, EditIncidentUpdateRequest, IncidentResponse, IncidentUpdateResponse,
    ListIncidentsQuery, PostIncidentRequest, ScheduleMaintenanceRequest, UpdateIncidentRequest,
};
pub use key::{
    CreateKeyRequest, CreateKeyResponse, KeyResponse, KeyUsageResponse, ListKeysQuery,
    SuccessResponse, UpdateKeyRequest,
};
pub use link::{
    InviteRequest, LinkPageResponse, LinkResponse, ListLinksQuery, ListedLinkResponse,
    password_link, signup_link,
};
pub use session::SessionResponse;
pub use status::{
    ComponentResponse, DayResponse, HourResponse, StatusResponse, UptimeResponse, UptimesResponse,
};
