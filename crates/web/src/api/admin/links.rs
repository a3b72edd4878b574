//! `/api/admin/links`

mod list;
mod withdraw;

pub(crate) use list::list;
pub(crate) use withdraw::withdraw;

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(list::list, withdraw::withdraw))]
pub(crate) struct Reference;
