use clap::{Args, Subcommand};

use super::{ServerFlags, output};
use crate::{
    config::{Flags, Settings, reference_page},
    failure::Failure,
};

#[derive(Subcommand)]
pub(super) enum Config {
    /// Say whether the configuration is valid; changes nothing
    Check(Check),
    /// Print the reference of all settings, in Markdown
    Reference,
}

#[derive(Args)]
pub(super) struct Check {
    #[command(flatten)]
    flags: ServerFlags,
}

impl Config {
    pub(super) fn run(self, flags: Flags) -> Result<(), Failure> {
        match self {
            Self::Check(check) => {
                Settings::load(&check.flags.join(flags))?;
                output::line("The configuration is valid.")
            }
            Self::Reference => output::line(reference_page().trim_end()),
        }
    }
}
