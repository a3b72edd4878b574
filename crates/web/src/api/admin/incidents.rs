//! `/api/admin/incidents` and `/api/admin/maintenance`

mod edit;
mod edit_update;
mod list;
mod post;
mod schedule;
mod show;
mod update;

pub(crate) use edit::edit;
pub(crate) use edit_update::edit_update;
pub(crate) use list::list;
pub(crate) use post::post;
pub(crate) use schedule::schedule;
pub(crate) use show::show;
pub(crate) use update::update;

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(
    list::list,
    post::post,
    schedule::schedule,
    show::show,
    edit::edit,
    update::update,
    edit_update::edit_update
))]
pub(crate) struct Reference;
