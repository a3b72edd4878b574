//! What operators look at: the doctor's findings, metrics, the status of the service and traces.

#[path = "../support/mod.rs"]
mod support;

mod doctor;
mod metrics;
mod preflight;
mod python;
mod status;
mod surroundings;
mod traces;
