mod account_password;
mod accounts;
mod common;
mod keys;
mod session;
