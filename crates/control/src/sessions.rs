//! What can be done with sessions.

mod authenticate;
mod failures;
mod sign_in;
mod sign_out;

pub use authenticate::SignedInSession;
pub(crate) use failures::SignInFailures;
pub use sign_in::{Client, SignedIn};
