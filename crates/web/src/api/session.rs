//! `/api/session`

mod create;
mod delete;
mod show;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use show::show;

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(create::create, show::show, delete::delete))]
pub(crate) struct Reference;
