use keygate_core::{Code, Problem, Scope, Scopes};

use crate::pages::form::Form;

/// A scope to be ticked.
pub(crate) struct ScopeChoice {
    pub(crate) name: &'static str,
    /// What it opens, in a line.
    pub(crate) opens: &'static str,
    pub(crate) is_chosen: bool,
}

/// The scopes of a form that offers these.
pub(super) fn choices(form: &Form, offered: &[Scope]) -> Vec<ScopeChoice> {
    let choice = |scope: &Scope| ScopeChoice {
        name: scope.as_str(),
        opens: opens(*scope),
        is_chosen: form.all("scopes").any(|name| name == scope.as_str()),
    };
    offered.iter().map(choice).collect()
}

/// The scopes that were ticked: at least one.
pub(super) fn parse(form: &Form) -> Result<Scopes, Problem> {
    let scopes: Option<Scopes> = form.all("scopes").map(Scope::parse).collect();
    let scopes = scopes.filter(|scopes| !scopes.is_empty());
    let none = "Select at least one.";
    scopes.ok_or_else(|| Problem::new(Code::InvalidParameter, none).with_param("scopes"))
}

fn opens(scope: Scope) -> &'static str {
    match scope {
        Scope::Chat => "Use models: chat, completions, embeddings, images, audio",
        Scope::Read => "Read: lists of models, files, jobs",
        Scope::Write => "Everything else: upload files, start and stop jobs",
        Scope::Admin => "All of these, and what the operator reserves for admins",
    }
}
