//! `/api/account`: the account that is signed in.

mod change_password;

pub(crate) use change_password::change_password;
