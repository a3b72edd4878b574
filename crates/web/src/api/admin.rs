//! `/api/admin`: what admins do for all accounts.

pub(crate) mod accounts;
mod audit;
pub(crate) mod incidents;
mod invite;
pub(crate) mod links;

pub(crate) use audit::audit;
pub(crate) use invite::invite;

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(invite::invite, audit::audit))]
pub(crate) struct Reference;
