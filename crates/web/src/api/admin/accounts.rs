//! `/api/admin/accounts`

mod list;
mod reset_password;
mod resume;
mod suspend;

pub(crate) use list::list;
pub(crate) use reset_password::reset_password;
pub(crate) use resume::resume;
pub(crate) use suspend::suspend;

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(
    list::list,
    suspend::suspend,
    resume::resume,
    reset_password::reset_password
))]
pub(crate) struct Reference;
