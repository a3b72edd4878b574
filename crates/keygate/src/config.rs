//! Settings: defaults, then the file, then flags and `KEYGATE_…` variables.

mod database;
mod file;
mod reference;
mod resolve;
mod status;
mod upstreams;

pub(crate) use database::Database;
pub(crate) use file::File;
pub(crate) use reference::{did_you_mean, reference_page};
pub(crate) use resolve::{Flags, MetricsListen, Settings, TraceSettings, reachable};
