//! What can be done with accounts.

mod invite;
mod list;
mod password;
mod sign_up;
mod suspend;

pub use sign_up::{SignUp, Signup};
