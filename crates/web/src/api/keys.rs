//! `/api/keys`

mod create;
mod delete;
mod history;
mod list;
mod show;
mod update;
mod usage;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use history::history;
pub(crate) use list::list;
pub(crate) use show::show;
pub(crate) use update::update;
pub(crate) use usage::usage;

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(
    list::list,
    create::create,
    update::update,
    delete::delete,
    show::show,
    usage::usage,
    history::history
))]
pub(crate) struct Reference;
