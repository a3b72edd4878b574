//! What commands print: results on standard output, errors on standard error.

use std::{
    io::{IsTerminal, Write},
    os::fd::{AsFd, OwnedFd},
};

use comfy_table::{ContentArrangement, Table, presets};
use rustix::fs::OFlags;
use serde_json::Value;

use crate::{
    failure::Failure,
    finding::{Finding, State},
    telemetry,
};

/// Writes a line of the result. Where that fails, the command has failed: a secret may be lost with it.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    write_line(text).map_err(|error| Failure::of_output(&error))
}

/// The same, for who has more to say of an error.
pub(crate) fn write_line(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{text}")?;
    output.flush()
}

pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    line(&format!("{value:#}"))
}

/// Refuses where it can be seen beforehand that a secret would be lost: on a full device, by a descriptor that
/// is only for reading, or by one that is closed. What else may go wrong shows when something is written.
pub(crate) fn check() -> Result<(), Failure> {
    let output = std::io::stdout().as_fd().try_clone_to_owned();
    let written = output.and_then(|output| {
        if was_closed(&output)? {
            return Err(std::io::Error::other("it is closed"));
        }
        std::fs::File::from(output).write(&[])
    });
    written.map(|_| ()).map_err(|error| nothing_done(&error))
}

/// Whether a program was started without it: Rust has `/dev/null` there then, for reading, too, as nobody opens
/// it who redirects an output.
fn was_closed(output: &OwnedFd) -> std::io::Result<bool> {
    let (found, null) = (rustix::fs::fstat(output)?, rustix::fs::stat("/dev/null")?);
    let is_for_both = rustix::fs::fcntl_getfl(output)?.contains(OFlags::RDWR);
    Ok(found.st_rdev == null.st_rdev && is_for_both)
}

/// The result could not be written before anything was done.
pub(crate) fn nothing_done(error: &std::io::Error) -> Failure {
    Failure::new(format!(
        "Nothing was done: the result could not be written to standard output ({error})."
    ))
}

/// A remark beside the result, for people only.
pub(crate) fn hint(text: &str) {
    if std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

pub(crate) fn error(failure: &Failure) {
    let Some(message) = failure.message() else {
        return;
    };
    let label = if telemetry::colours() {
        "\u{1b}[31merror:\u{1b}[0m"
    } else {
        "error:"
    };
    let _ = writeln!(std::io::stderr(), "{label} {message}");
}

/// What the doctor found, on a line, and what to do on an indented one.
pub(crate) fn finding(found: &Finding) -> Result<(), Failure> {
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
    line(&format!("{word}  {}: {}", found.check, found.message))?;
    match &found.advice {
        Some(advice) => line(&format!("         {advice}")),
        None => Ok(()),
    }
}

/// A table of the rows of a JSON array: a heading and the field that stands below it.
pub(crate) fn table(rows: &Value, columns: &[(&str, &str)]) -> Result<(), Failure> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(columns.iter().map(|(heading, _)| *heading));
    for row in rows.as_array().into_iter().flatten() {
        table.add_row(columns.iter().map(|(_, field)| cell(&row[*field])));
    }
    table.lines().try_for_each(|row| line(row.trim()))
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
