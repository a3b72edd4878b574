//! Several nodes over one PostgreSQL: real processes, a real server, and faults between them.

mod balancer;
mod cluster;
mod commands;
mod fault_proxy;
mod faults;
mod going_back;
mod history;
mod limit;
mod moving;
mod pauses;
mod pooler;
mod probers;
mod revocation;
mod rolling;
mod scaling_page;
mod standby;
#[path = "../support/mod.rs"]
mod support;
