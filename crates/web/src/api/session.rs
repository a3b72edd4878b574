//! `/api/session`

mod create;
mod delete;
mod show;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use show::show;
