//! What keys open, and how many of them are active.

use std::{collections::HashMap, time::Duration};

use super::{
    History, LEASE,
    accounts::{self, Suspensions},
    event::{Event, Operation, Scope, Violation},
    kept::KeptKey,
    record::changes,
    register::{Written, is_in_order, possible},
};

/// A key as it has become with each change, or none once it is revoked.
type Register = Vec<Written<Option<KeptKey>>>;

/// All keys that the record knows, by their ids.
fn registers(history: &History) -> HashMap<&str, Register> {
    let changes = changes(history);
    let there = history.before.keys.iter();
    let there = there.map(|(id, key)| (id.as_str(), vec![Written::first(Some(key.clone()))]));
    let mut registers: HashMap<&str, Register> = there.collect();
    for entry in &history.record {
        let (Some(subject), Some(event)) = (&entry.subject, changes.get(&entry.mark())) else {
            continue;
        };
        let register = registers.entry(subject);
        let last = |register: &Register| register.last().and_then(|last| last.state.clone());
        match entry.action.as_str() {
            "key.issue" => {
                let account = entry.account.as_deref().unwrap_or_default();
                let key = KeptKey::issued(account, &entry.detail);
                register.or_default().push(Written::by(event, Some(key)));
            }
            "key.update" => {
                let register = register.or_default();
                let mut key = last(register);
                if let Some(key) = &mut key {
                    key.update(&entry.detail);
                }
                register.push(Written::by(event, key));
            }
            "key.revoke" => register.or_default().push(Written::by(event, None)),
            _ => {}
        }
    }
    registers
}

pub fn check(history: &History) -> Result<(), Violation> {
    let registers = registers(history);
    let suspensions = accounts::suspensions(history);
    for (id, register) in &registers {
        if !is_in_order(register) {
            let why = format!("the record turns the order of the changes of key {id} around");
            return Err(violation(history, why, id));
        }
    }
    for event in &history.events {
        match &event.what {
            Operation::Check { key, scope, status } => {
                let register = registers.get(key.as_str()).map_or(&[][..], |found| found);
                let called = check_call(event, register, &suspensions, (scope, *status));
                called.map_err(|why| violation(history, format!("key {key} {why}"), key))?;
            }
            Operation::Issue { account, .. } | Operation::Change { account, .. }
                if event.is_refused_with(&["key_limit_reached"]) =>
            {
                check_limit(history, event, account, &registers)?;
            }
            Operation::Change { key, .. } | Operation::Revoke { key, .. }
                if event.is_refused_with(&["key_not_found"]) =>
            {
                let register = registers.get(key.as_str()).map_or(&[][..], |found| found);
                if !possible(register, event, Duration::ZERO).any(Option::is_none) {
                    let why = format!("key {key} was there, and was not found: {event}");
                    return Err(violation(history, why, key));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_call(
    call: &Event,
    register: &[Written<Option<KeptKey>>],
    suspensions: &Suspensions<'_>,
    (scope, status): (Scope, u16),
) -> Result<(), String> {
    let keys: Vec<_> = possible(register, call, LEASE).collect();
    let owner = register.first().and_then(|issued| issued.state.as_ref());
    let owner = owner.map_or("", |key| key.account.as_str());
    let suspended = accounts::may_be_suspended(suspensions, owner, call, LEASE);
    let is_expected = |key: &Option<KeptKey>| {
        let mut suspended = suspended.iter();
        suspended.any(|&suspended| expected(key.as_ref(), suspended, scope) == status)
    };
    // Nobody could say where it is 503.
    if status == 503 || keys.iter().any(|key| is_expected(key)) {
        return Ok(());
    }
    Err(format!(
        "cannot have been answered like this: {call}\n\
         It was {keys:?}, its account suspended: {suspended:?}"
    ))
}

/// The status that a call is answered with.
fn expected(key: Option<&KeptKey>, is_suspended: bool, scope: Scope) -> u16 {
    match key {
        Some(key) if !key.is_active => 401,
        None => 401,
        Some(_) if is_suspended => 403,
        Some(key) if key.scopes.iter().any(|own| own == scope || own == "admin") => 200,
        Some(_) => 403,
    }
}

/// Nobody is refused a place that was free all the time.
fn check_limit(
    history: &History,
    refused: &Event,
    account: &str,
    registers: &HashMap<&str, Register>,
) -> Result<(), Violation> {
    let may_be_active = |register: &&Register| {
        possible(register, refused, Duration::ZERO)
            .flatten()
            .any(|key| key.account == account && key.is_active)
    };
    let active = registers.values().filter(may_be_active).count();
    if active >= history.max_active {
        return Ok(());
    }
    let why = format!("{account} had {active} active keys, and was refused another: {refused}");
    let events = history.events.iter().filter(|event| match &event.what {
        Operation::Issue { account: owner, .. }
        | Operation::Change { account: owner, .. }
        | Operation::Revoke { account: owner, .. } => owner == account,
        _ => false,
    });
    Err(Violation::new(why, events))
}

/// With all that was done with the key, and with its account's suspension.
fn violation(history: &History, why: String, id: &str) -> Violation {
    let issued = |event: &&Event| matches!(&event.what, Operation::Issue { key, .. } if key == id);
    let issued = history.events.iter().find(issued);
    let owner = issued.and_then(|event| match &event.what {
        Operation::Issue { account, .. } => Some(account),
        _ => None,
    });
    let events = history.events.iter().filter(|event| match &event.what {
        Operation::Issue { key, .. }
        | Operation::Change { key, .. }
        | Operation::Revoke { key, .. }
        | Operation::Check { key, .. } => key == id,
        Operation::Suspend { account, .. } | Operation::Resume { account, .. } => {
            Some(account) == owner
        }
        _ => false,
    });
    Violation::new(why, events)
}
