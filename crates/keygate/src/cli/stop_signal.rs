//! What ends a running program.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// SIGTERM or SIGINT, and for who runs on a terminal alone, also that it is gone.
pub(super) struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
}

impl StopSignal {
    pub(super) fn of_server() -> Result<Self, Failure> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: None,
        })
    }

    /// The same for a program that has to tidy up. One that was started with `nohup` outlives its terminal.
    pub(super) fn of_demo() -> Result<Self, Failure> {
        Ok(Self {
            hang_up: if hang_up_is_ignored() {
                None
            } else {
                Some(listen(SignalKind::hangup())?)
            },
            ..Self::of_server()?
        })
    }

    /// Ends at the first signal. The second one does what is to be done at once, and ends the program.
    pub(super) async fn received(mut self, at_once: impl FnOnce() + Send + 'static) {
        self.next().await;
        tracing::info!("stopping: requests under way have 30 seconds");
        tokio::spawn(async move {
            self.next().await;
            at_once();
            std::process::exit(130);
        });
    }

    async fn next(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::new(format!("Signals cannot be handled ({error}).")))
}

/// Whether whoever started the program has it ignore SIGHUP (`SigIgn` in proc(5): its first bit).
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}
