//! The running program: one listener for both planes, and what goes on beside it.

mod activity;
mod app;
mod connections;
mod crowd;
mod data_folder;
mod descriptors;
mod ext_authz;
mod farewell;
mod heads;
mod http_server;
mod listeners;
mod metrics;
mod network;
mod refusal;
mod resources;
mod running;
mod services;
mod targets;
mod timeout_stream;
mod traced;

pub(crate) use data_folder::{check_data_folder, create_data_folder, nearest};
pub(crate) use descriptors::{OpenFiles, WHERE_TO_RAISE, check_open_files, open_files};
pub(crate) use listeners::Listeners;
pub(crate) use network::Network;
pub(crate) use running::Running;
