//! Who may sign in.

use std::{collections::HashMap, time::Duration};

use super::{
    History,
    event::{Event, Operation, Violation},
    register::{Written, possible},
};
use crate::support::PASSWORD;

/// Whether each account is suspended. One after the other suspends or resumes it.
pub type Suspensions<'a> = HashMap<&'a str, Vec<Written<bool>>>;

pub fn suspensions(history: &History) -> Suspensions<'_> {
    let mut suspensions = Suspensions::new();
    for event in history.events.iter().filter(|event| event.may_be_done()) {
        let (account, is_suspended) = match &event.what {
            Operation::Suspend { account, .. } => (account, true),
            Operation::Resume { account, .. } => (account, false),
            _ => continue,
        };
        let register = suspensions.entry(account);
        let register = register.or_insert_with(|| vec![Written::first(false)]);
        register.push(Written::by(event, is_suspended));
    }
    suspensions
}

/// Whether an account may have been suspended, and whether not, when an event met it.
pub fn may_be_suspended(
    suspensions: &Suspensions<'_>,
    account: &str,
    event: &Event,
    lag: Duration,
) -> Vec<bool> {
    match suspensions.get(account) {
        None => vec![false],
        Some(register) => possible(register, event, lag).copied().collect(),
    }
}

/// The passwords that each account had which had more than one. One after the other replaces it.
fn passwords(history: &History) -> HashMap<&str, Vec<Written<&str>>> {
    let mut passwords = HashMap::<&str, Vec<Written<&str>>>::new();
    for event in history.events.iter().filter(|event| event.may_be_done()) {
        let (account, password, first) = match &event.what {
            Operation::SignUp {
                account, password, ..
            } => (account, password, vec![]),
            Operation::Reset {
                account, password, ..
            } => (account, password, vec![Written::first(PASSWORD)]),
            _ => continue,
        };
        let register = passwords.entry(account).or_insert(first);
        register.push(Written::by(event, password.as_str()));
    }
    passwords
}

pub fn check(history: &History) -> Result<(), Violation> {
    let (suspensions, passwords) = (suspensions(history), passwords(history));
    for event in &history.events {
        let Operation::SignIn {
            account, password, ..
        } = &event.what
        else {
            continue;
        };
        let matches: Vec<bool> = match passwords.get(account.as_str()) {
            None => vec![password == PASSWORD],
            Some(register) => possible(register, event, Duration::ZERO)
                .map(|is| is == password)
                .collect(),
        };
        let suspended = may_be_suspended(&suspensions, account, event, Duration::ZERO);
        let may_be = if event.is_done() {
            matches.contains(&true) && suspended.contains(&false)
        } else if event.is_refused_with(&["invalid_credentials"]) {
            matches.contains(&false) || suspended.contains(&true)
        } else if event.is_refused_with(&["account_suspended"]) {
            matches.contains(&true) && suspended.contains(&true)
        } else {
            true
        };
        if !may_be {
            let why = format!(
                "a sign-in cannot have been answered like this: {event}\n\
                 The password may have been right: {matches:?}, the account suspended: {suspended:?}"
            );
            return Err(Violation::new(why, of_account(history, account)));
        }
    }
    Ok(())
}

/// What decides about who may sign in to an account, and who did.
pub fn of_account<'a>(history: &'a History, name: &'a str) -> impl Iterator<Item = &'a Event> + 'a {
    history
        .events
        .iter()
        .filter(move |event| match &event.what {
            Operation::SignIn { account, .. }
            | Operation::SignOut { account }
            | Operation::Suspend { account, .. }
            | Operation::Resume { account, .. }
            | Operation::Reset { account, .. }
            | Operation::SignUp { account, .. } => account == name,
            Operation::Link { resets, .. } | Operation::Withdraw { resets, .. } => {
                resets.as_deref() == Some(name)
            }
            _ => false,
        })
}
