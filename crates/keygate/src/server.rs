//! The running program: one listener for both planes, and what goes on beside it.

mod app;
mod connections;
mod data_folder;
mod ext_authz;
mod holding;
mod listeners;
mod metrics;
mod patience;
mod running;
mod targets;

pub(crate) use data_folder::create_data_folder;
pub(crate) use running::{Running, bind_keys, control};
