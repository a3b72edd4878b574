//! The fields that the form for a new key and the one for a key that there is have in common.

use keygate_core::{KeyDetails, Scope};
use keygate_wire::read_field;

use super::{
    names,
    scopes::{self, ScopeChoice},
};
use crate::pages::form::Form;

/// Those that say beside themselves what is wrong with them.
const FIELDS: [&str; 2] = ["name", "scopes"];

/// What is to be chosen from.
pub(super) struct Choices {
    pub(super) scopes: Vec<ScopeChoice>,
}

impl Choices {
    /// Those of a form that offers these scopes.
    pub(super) fn of(form: &Form, offered: &[Scope]) -> Self {
        Self {
            scopes: scopes::choices(form, offered),
        }
    }
}

/// What is typed in a form; or nothing, and what is wrong is noted.
pub(super) fn take(form: &mut Form) -> Option<KeyDetails> {
    let name = form.accept(read_field("name", form.text("name")));
    let scopes = form.accept(scopes::parse(form));
    Some(KeyDetails {
        scopes: scopes?,
        ..KeyDetails::named(name?)
    })
}

/// Fills a form in with what there is.
pub(super) fn fill(form: &mut Form, details: &KeyDetails) {
    form.set("name", [details.name.as_str()]);
    form.set("scopes", names(details.scopes));
}

/// What is wrong with a form, but is shown beside none of these fields nor of this one.
pub(super) fn error_apart_from<'a>(form: &'a Form, own: &'static str) -> Option<&'a str> {
    form.error_apart_from(&[&FIELDS[..], &[own]].concat())
}
