use clap::Subcommand;

use super::output;
use crate::{
    config::{Flags, Settings, reference_page},
    failure::Failure,
};

#[derive(Subcommand)]
pub(super) enum Config {
    /// Say whether the configuration is valid; changes nothing
    Check,
    /// Print the reference of all settings, in Markdown
    Reference,
}

impl Config {
    pub(super) fn run(self, flags: &Flags) -> Result<(), Failure> {
        match self {
            Self::Check => {
                Settings::load(flags)?;
                output::line("The configuration is valid.");
            }
            Self::Reference => output::line(reference_page().trim_end()),
        }
        Ok(())
    }
}
