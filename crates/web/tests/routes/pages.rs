//! The pages, without a browser.

mod account;
mod admin;
mod assets;
mod brand;
mod docs;
mod frame;
mod incidents;
mod keys;
mod reset_password;
mod sign_in;
mod sign_up;
mod status;
