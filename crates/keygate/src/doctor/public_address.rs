//! Whether people on other machines can use the pages.

use crate::{config::Settings, finding::Finding, server::Network};

const CHECK: &str = "public address";

/// Nothing, where only this machine is to reach them.
pub(super) fn check(settings: &Settings) -> Option<Finding> {
    let server = &settings.server;
    if let Some(url) = &server.public_url {
        return Some(Finding::ok(
            CHECK,
            format!("People reach the pages at {}.", url.0),
        ));
    }
    let network = Network::of(server.listen)?;
    Some(Finding::warning(
        CHECK,
        format!(
            "Other machines reach the pages by address ({}), and not by a name.",
            network.urls.join(", ")
        ),
        format!(
            "Where people use a name, set it: --public-url {}, or server.public_url.",
            network.by_name
        ),
    ))
}
