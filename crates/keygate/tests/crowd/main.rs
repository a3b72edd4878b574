//! Thousands of clients at once that keep keygate from its work, or try to. With a limit on memory and a
//! resolver of its own, which takes root.

#[path = "../support/mod.rs"]
mod support;

mod floods;
mod kinds;
mod room;
mod siege;
mod slow_clients;
