//! What can be done with accounts.

mod invite;
mod links;
mod list;
mod password;
mod reset_password;
mod role;
mod sign_up;
mod suspend;

pub use list::parse_account_id;
pub use sign_up::{SignUp, Signup};
