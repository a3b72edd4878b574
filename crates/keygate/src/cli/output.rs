//! What commands print: results on standard output, errors on standard error.

use std::io::{IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::{
    doctor::{Finding, State},
    failure::Failure,
    telemetry,
};

pub(crate) fn line(text: &str) {
    // Whoever no longer reads has heard enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub(crate) fn json(value: &Value) {
    line(&format!("{value:#}"));
}

/// A remark beside the result, for people only.
pub(crate) fn hint(text: &str) {
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

pub(crate) fn error(failure: &Failure) {
    let label = if telemetry::colours() {
        "\u{1b}[31merror:\u{1b}[0m"
    } else {
        "error:"
    };
    let _ = writeln!(std::io::stderr(), "{label} {failure}");
}

/// What the doctor found, on a line, and what to do on an indented one.
pub(crate) fn finding(found: &Finding) {
    let colour = match found.state {
        State::Ok => 32,
        State::Warning => 33,
        State::Wrong => 31,
    };
    let word = format!("{:7}", found.state.as_str());
    let word = if telemetry::wants_colours(&std::io::stdout()) {
        format!("\u{1b}[{colour}m{word}\u{1b}[0m")
    } else {
        word
    };
    line(&format!("{word}  {}: {}", found.check, found.message));
    if let Some(advice) = &found.advice {
        line(&format!("         {advice}"));
    }
}

/// A table of the rows of a JSON array: a heading and the field that stands below it.
pub(crate) fn table(rows: &Value, columns: &[(&str, &str)]) {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns.iter().map(|(heading, _)| *heading));
    for row in rows.as_array().into_iter().flatten() {
        table.add_row(columns.iter().map(|(_, field)| cell(&row[*field])));
    }
    for row in table.lines() {
        line(row.trim());
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
