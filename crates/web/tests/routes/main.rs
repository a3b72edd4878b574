//! Every route and every answer that the contract lists, the test tree shaped as the URLs are.

mod access;
mod api;
mod health;
mod sign_up;
mod support;
