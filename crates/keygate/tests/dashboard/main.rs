//! The dashboard in a real browser, in front of the real program.

#[path = "../support/mod.rs"]
mod support;

mod administration;
mod browser;
mod firefox;
mod first_key;
mod isolation;
mod keyboard;
mod keys;
mod network;
mod other_origins;
mod person;
mod reference;
mod sessions;
mod status;
mod time_zone;
mod tour;
mod weight;
