//! `/admin`: what admins do for all accounts.

pub(crate) mod accounts;
mod audit;
mod link;

pub(crate) use audit::audit;
