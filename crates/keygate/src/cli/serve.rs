use std::iter;

use keygate_wire::signup_link;

use super::{output, stop_signal::StopSignal};
use crate::{
    config::{Flags, Settings},
    failure::Failure,
    server::{Network, Running, open_files},
};

/// Runs the server until it is to stop.
pub(super) async fn run(flags: &Flags) -> Result<(), Failure> {
    let settings = Settings::load(flags)?;
    let upstreams = settings.upstreams.to_string();
    let stop = StopSignal::of_server()?;
    let has_public_url = settings.server.public_url.is_some();
    let running = Running::start(settings).await?;
    let network = Network::of(running.addresses.http).filter(|_| !has_public_url);
    let greeting = greeting(&running, network.as_ref(), &upstreams).await?;
    // Who starts it in the background may well have closed what it greets on.
    if let Err(failure) = greeting.iter().try_for_each(|text| output::line(text)) {
        tracing::warn!("the greeting was not shown: {failure}");
    }
    let metrics = running.addresses.metrics.map(tracing::field::display);
    let open_files = open_files().soft;
    tracing::info!(address = %running.addresses.http, upstreams, metrics, open_files, "listening");
    stop.received(|| {}).await;
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// What there is to know, and last that the program is ready.
async fn greeting(
    running: &Running,
    network: Option<&Network>,
    upstreams: &str,
) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    if let Some(token) = running.setup_token().await? {
        lines.push("Create the first account here. The link works once, within a day:".to_owned());
        let others = network.iter().flat_map(|network| &network.urls);
        let urls = iter::once(&running.origin).chain(others);
        lines.extend(urls.map(|url| format!("  {}", signup_link(url, &token))));
    }
    if running.lacks_admin().await? {
        output::line(
            "There is no admin. Make an account an admin: keygate account set-role E-MAIL admin",
        )?;
    }
    if upstreams.is_empty() {
        let text = "No upstream yet: /v1 answers 502 until you start it with --upstream URL.";
        lines.push(text.to_owned());
    }
    if let Some(address) = running.addresses.gateway {
        lines.push(format!(
            "Upstreams are reached by all their paths on http://{address}"
        ));
    }
    if let Some(address) = running.addresses.ext_authz {
        lines.push(format!("Envoy's ext_authz is answered on {address}"));
    }
    if let Some(address) = running
        .addresses
        .metrics
        .filter(|_| running.metrics_are_asked_for)
    {
        lines.push(format!("Metrics are served on http://{address}/metrics"));
    }
    lines.extend(network.iter().flat_map(|network| reached_by(network)));
    lines.push(format!("keygate listens on {}", running.origin));
    Ok(lines)
}

/// What people on other machines need to know.
fn reached_by(network: &Network) -> Vec<String> {
    let urls = network.urls.join(", ");
    vec![
        format!("From other machines it is reached at {urls}"),
        format!(
            "If they know it by a name, start it with that: --public-url {}",
            network.by_name
        ),
    ]
}
