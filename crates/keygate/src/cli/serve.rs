use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{ServerFlags, output};
use crate::{
    config::{Flags, Settings},
    failure::Failure,
    server::Running,
};

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    flags: ServerFlags,
}

impl Serve {
    pub(super) async fn run(self, flags: Flags) -> Result<(), Failure> {
        let settings = Settings::load(&self.flags.join(flags))?;
        let upstreams = settings.upstreams.to_string();
        let stop = stop_signal()?;
        let running = Running::start(settings).await?;
        announce(&running, &upstreams).await?;
        stop.await;
        running.stop().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Says what there is to know, and last that the program is ready.
async fn announce(running: &Running, upstreams: &str) -> Result<(), Failure> {
    if let Some(link) = running.setup_link().await? {
        output::line("Make the first account here; the link works once, within a day:");
        output::line(&format!("  {link}"));
    }
    if upstreams.is_empty() {
        output::line("No upstream yet: /v1 answers 502 until you start it with --upstream URL.");
    }
    if let Some(address) = running.ext_authz_address {
        output::line(&format!("Envoy's ext_authz is answered on {address}"));
    }
    if let Some(address) = running
        .metrics_address
        .filter(|_| running.metrics_are_asked_for)
    {
        output::line(&format!("Metrics are served on http://{address}/metrics"));
    }
    output::line(&format!("keygate listens on {}", running.origin));
    let metrics = running.metrics_address.map(tracing::field::display);
    tracing::info!(address = %running.address, upstreams, metrics, "listening");
    Ok(())
}

/// Ends at the first SIGTERM or SIGINT. The second one ends the program at once.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let failure = |error| Failure::new(format!("Signals cannot be handled ({error})."));
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate()).map_err(failure)?,
        interrupt: signal(SignalKind::interrupt()).map_err(failure)?,
    };
    Ok(async move {
        signals.next().await;
        tracing::info!("stopping: requests under way have 30 seconds");
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(130);
        });
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
