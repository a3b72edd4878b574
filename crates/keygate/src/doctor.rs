//! `keygate doctor`: looks at everything that keygate stands on, and changes nothing.
//!
//! What `serve` would refuse is found by [`preflight`], as it is there. What is looked at besides does not keep
//! a server from starting.

mod clock;
mod configuration;
mod database;
mod disk;
mod open_files;
mod permissions;
mod privacy;
mod public_address;
mod upstreams;

use std::{path::PathBuf, time::Duration};

use keygate_core::Timestamp;

use crate::{
    config::{Flags, Settings},
    finding::Finding,
    preflight::{self, Preflight, Viewer},
    server::check_data_folder,
};

/// What another clock said, and what ours said then.
struct Reading {
    whose: String,
    theirs: Timestamp,
    ours: Timestamp,
    /// How far apart they may be.
    tolerance: Duration,
}

/// What there is to say of the clock, besides what is wrong.
#[derive(Default)]
struct Clocks {
    readings: Vec<Reading>,
    newest_entry: Option<Timestamp>,
}

/// Makes every check that can be made, one after another.
pub(crate) async fn examine(flags: &Flags) -> Vec<Finding> {
    let (mut found, settings) = configuration::check(flags);
    match settings {
        Some(settings) => found.extend(examine_all(settings).await),
        None => found.extend(examine_folder(flags)),
    }
    found.push(open_files::check());
    found
}

async fn examine_all(mut settings: Settings) -> Vec<Finding> {
    let mut clocks = Clocks::default();
    let Preflight {
        mut found,
        listeners,
        traces,
        database,
    } = preflight::look(&mut settings, Viewer::Doctor).await;
    // Others may have the ports.
    drop(listeners);
    if let Some(traces) = traces {
        traces.close().await;
    }
    found.extend(privacy::of_folder(&settings.data));
    found.extend(public_address::check(&settings));
    if let Some(database) = database {
        found.extend(database::check(&settings.database, &database, &mut clocks).await);
    }
    found.extend(upstreams::check(&settings.upstreams, &mut clocks).await);
    found.extend(clock::check(&clocks));
    found.extend(disk::check(&settings.data, &settings.database));
    found
}

/// What can be looked at without settings.
fn examine_folder(flags: &Flags) -> Vec<Finding> {
    let data: PathBuf = flags.data.clone().unwrap_or_else(Settings::default_data);
    let folder = check_data_folder(&data);
    let mut found =
        vec![folder.unwrap_or_else(|failure| Finding::failure("data folder", &failure))];
    found.extend(privacy::of_folder(&data));
    found.extend(disk::of_folder(&data));
    found
}
