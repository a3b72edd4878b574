//! What operators look at: the doctor's findings and traces.

#[path = "../support/mod.rs"]
mod support;

mod doctor;
mod traces;
