//! What operators see from outside, by the tools that they have.

mod metrics;
#[path = "../support/mod.rs"]
mod support;
