//! End to end: the real program, real clients.

#[path = "../support/mod.rs"]
mod support;

mod backup;
mod balancing;
mod canary;
mod circles;
mod client_addresses;
mod commands;
mod configuration;
mod crowds;
mod demo;
mod empty_variables;
mod error_forms;
mod exchanges;
mod express;
mod forward_auth;
mod gateway;
mod hostile_world;
mod http2_upstreams;
mod idle;
mod lanes;
mod life_of_a_key;
mod models;
mod named_paths;
mod openai_sdk;
mod own_credential;
mod presented_keys;
mod readme;
mod results;
mod shutdown;
mod sign_in;
mod terminal;
mod timeouts;
mod tls;
mod upstream_paths;
mod websocket;
