//! The management API and the pages: HTTP over the use cases of `keygate-control`, and no rules
//! of its own.

mod answer;
mod api;
mod assets;
mod body;
mod brand;
mod client;
mod cookie;
mod count;
mod guard;
mod health;
mod openapi;
mod origin;
mod pages;
mod path_id;
mod query;
mod rendered;
mod route;
mod routes;
mod state;
mod status_words;

pub use brand::{Brand, Contact, Logo};
pub use route::{Access, Route};
pub use routes::{is_own, matched_route, openapi_json, router, routes};
pub use state::{Site, WebState};
