mod account_password;
mod account_password_reset;
mod account_sessions;
mod accounts;
mod admin;
mod common;
mod keys;
mod session;
