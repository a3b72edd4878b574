//! `/api/accounts`

mod create;

pub(crate) use create::create;

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(create::create))]
pub(crate) struct Reference;
