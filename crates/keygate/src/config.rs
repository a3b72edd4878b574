//! Settings: defaults, then the file, then `KEYGATE_…` variables, then flags. Each is said once, in [`sections`].

#[macro_use]
mod declare;
mod database;
mod file;
mod public_url;
mod reference;
mod sections;
mod setting;
mod settings;
mod source;
mod status;
mod types;
mod upstreams;
mod value;

pub(crate) use database::Database;
pub(crate) use reference::{OtherFlag, reference_page};
pub(crate) use sections::{SETTINGS, Traces};
pub(crate) use setting::{Given, Kind, Place, Setting, did_you_mean};
pub(crate) use settings::{Flags, Settings, reachable};
pub(crate) use types::AddressOrOff;
pub(crate) use upstreams::SERVER_PATHS;
