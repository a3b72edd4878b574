//! What operators look at: the doctor's findings, metrics and traces.

#[path = "../support/mod.rs"]
mod support;

mod doctor;
mod metrics;
mod traces;
