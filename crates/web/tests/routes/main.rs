//! Every route and every answer that the contract lists, the test tree shaped as the URLs are.

mod access;
mod api;
mod health;
mod openapi;
mod pages;
mod support;
