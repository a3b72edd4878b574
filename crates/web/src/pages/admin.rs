//! `/admin`: what admins do for all accounts.

pub(crate) mod accounts;
mod audit;
pub(crate) mod incidents;
mod link;
pub(crate) mod links;

pub(crate) use audit::audit;
