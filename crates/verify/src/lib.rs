//! The engine of the data plane: from a request's headers to a decision.
//!
//! A key that was seen before is decided about without the database, without a lock held across
//! an await, and without an allocation. What the cache holds is dropped before a change to it is
//! acknowledged (see [`Verifier`]'s [`ChangeListener`](keygate_storage::ChangeListener)).

mod answers;
mod cache;
mod cached_key;
mod client_throttle;
mod credentials;
mod generations;
mod layer;
mod metrics;
mod prehashed;
mod readings;
mod refusal;
mod sync;
mod unknown_keys;
mod usage;
mod verifier;

pub use credentials::{credential_headers, is_credential_header, other_protocols};
pub use layer::{Guarded, RequireScope};
pub use refusal::{Refusal, refusal_response};
pub use usage::UsageRecorder;
pub use verifier::{HeldKey, Verifier};
