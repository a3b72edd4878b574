//! `/api/account`: the account that is signed in.

mod change_password;
mod end_other_sessions;
mod end_session;
mod reset_password;
mod sessions;

pub(crate) use change_password::change_password;
pub(crate) use end_other_sessions::end_other_sessions;
pub(crate) use end_session::end_session;
pub(crate) use reset_password::reset_password;
pub(crate) use sessions::sessions;

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(
    change_password::change_password,
    reset_password::reset_password,
    sessions::sessions,
    end_other_sessions::end_other_sessions,
    end_session::end_session
))]
pub(crate) struct Reference;
