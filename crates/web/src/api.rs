//! The management API: one file for each route.

pub(crate) mod account;
pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod keys;
pub(crate) mod session;
pub(crate) mod status;
