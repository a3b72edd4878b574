//! What is given for a table of settings.

use super::{
    setting::{Given, Setting},
    value::Field,
};
use crate::failure::Failure;

/// A table of settings.
pub(super) trait Section: Sized {
    const SETTINGS: &'static [Setting];

    fn read(source: Source<'_>) -> Result<Self, Failure>;
}

/// What is given for a table.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    given: &'a [Given],
    row: Option<usize>,
}

impl<'a> Source<'a> {
    /// Of what is given for a setting the first counts.
    pub(super) fn new(given: &'a [Given]) -> Self {
        Self { given, row: None }
    }

    pub(super) fn read<F: Field>(self, setting: &Setting) -> Result<F, Failure> {
        let mut given = self.given.iter();
        let given = given.find(|given| given.setting == setting.name && given.row == self.row);
        F::read(setting, given)
    }

    /// Each of the tables of this name in the file, which no flag or variable has a part in.
    pub(super) fn read_list<S: Section>(self, table: &str) -> Result<Vec<S>, Failure> {
        let rows = self.given.iter().filter(|given| given.setting == table);
        let rows = rows.map(|given| Self {
            row: given.row,
            ..self
        });
        rows.map(S::read).collect()
    }
}
