use clap::Subcommand;

use super::{other_flags, output};
use crate::{
    config::{Flags, Settings, reference_page},
    failure::Failure,
};

#[derive(Subcommand)]
pub(super) enum Config {
    /// Check the configuration; changes nothing
    Check,
    /// Print the reference of all settings, in Markdown
    Reference,
}

impl Config {
    pub(super) fn run(self, flags: &Flags) -> Result<(), Failure> {
        match self {
            Self::Check => {
                Settings::load(flags)?;
                output::line("The configuration is valid.")
            }
            Self::Reference => output::line(reference_page(other_flags()).trim_end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_is_up_to_date() {
        let written = include_str!("../../../../docs/configuration.md");
        assert!(
            written == reference_page(other_flags()),
            "write it anew: cargo xtask docs configuration"
        );
    }
}
