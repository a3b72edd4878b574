//! keygate behind the proxies that people have, each a real one with the configuration that its page
//! in `docs/integrations` shows.

mod caddy;
mod credentials;
mod envoy;
mod haproxy;
mod nginx;
mod scenario;
#[path = "../support/mod.rs"]
mod support;
mod tls;
