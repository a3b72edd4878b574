//! What is said of incidents, in which order.

use std::{collections::HashMap, time::Duration};

use super::{
    History,
    event::{Operation, Violation},
    kept::is_last,
    record::changes,
    register::{Written, is_in_order, possible},
};

/// What was said of an incident after each change, and whether it was over.
#[derive(Debug, Clone, Default)]
struct Said {
    messages: Vec<String>,
    is_over: bool,
}

fn registers(history: &History) -> HashMap<&str, Vec<Written<Said>>> {
    let changes = changes(history);
    let mut registers = HashMap::<&str, Vec<Written<Said>>>::new();
    for entry in &history.record {
        let is_said = ["incident.create", "incident.update"].contains(&entry.action.as_str());
        let (true, Some(id), Some(event)) = (is_said, &entry.subject, changes.get(&entry.mark()))
        else {
            continue;
        };
        let register = registers.entry(id).or_default();
        let mut said = register
            .last()
            .map_or_else(Said::default, |last| last.state.clone());
        let text = |name: &str| entry.detail[name].as_str().unwrap_or_default();
        said.messages.push(text("message").to_owned());
        said.is_over |= is_last(text("state"));
        register.push(Written::by(event, said));
    }
    registers
}

pub fn check(history: &History) -> Result<(), Violation> {
    let registers = registers(history);
    for (id, register) in &registers {
        if !is_in_order(register) {
            let why = format!("the record turns around what was said of incident {id}");
            return Err(violation(history, why, id));
        }
    }
    for event in &history.events {
        let (id, may_be) = match &event.what {
            Operation::Read { incident, messages } if event.is_done() => {
                let mut said = possible(found(&registers, incident), event, Duration::ZERO);
                (incident, said.any(|said| said.messages == *messages))
            }
            Operation::Say {
                incident, state, ..
            } if event.is_refused_with(&["invalid_parameter"]) => {
                let mut said = possible(found(&registers, incident), event, Duration::ZERO);
                (incident, !is_last(state) && said.any(|said| said.is_over))
            }
            _ => continue,
        };
        if !may_be {
            let why = format!("incident {id} cannot have been answered like this: {event}");
            return Err(violation(history, why, id));
        }
    }
    Ok(())
}

fn found<'a>(registers: &'a HashMap<&str, Vec<Written<Said>>>, id: &str) -> &'a [Written<Said>] {
    registers.get(id).map_or(&[], |register| register)
}

fn violation(history: &History, why: String, id: &str) -> Violation {
    let events = history.events.iter().filter(|event| match &event.what {
        Operation::Post { incident, .. }
        | Operation::Say { incident, .. }
        | Operation::Read { incident, .. } => incident == id,
        _ => false,
    });
    Violation::new(why, events)
}
