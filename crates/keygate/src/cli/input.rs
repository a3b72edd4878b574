//! What commands are told on standard input.

use std::io::Read;

use crate::failure::Failure;

/// All of standard input; `what` it is, for the error.
pub(super) fn standard_input(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Failure::new(format!("The {what} cannot be read ({error}).")))?;
    Ok(text)
}
