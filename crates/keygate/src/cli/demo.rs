use clap::Args;

use super::{ListenFlag, output, stop_signal::StopSignal};
use crate::{config::Flags, demo, failure::Failure};

#[derive(Args)]
pub(super) struct Demo {
    #[command(flatten)]
    listen: ListenFlag,
}

impl Demo {
    pub(super) async fn run(self, flags: Flags) -> Result<(), Failure> {
        if flags.data.is_some() || flags.config.is_some() {
            return Err(Failure::new(
                "The demo has a data folder and a configuration of its own. Leave --data and --config out, or use keygate serve.",
            ));
        }
        let stop = StopSignal::of_demo()?;
        let demo = demo::start(self.listen.listen).await?;
        output::line(&demo.introduction)?;
        let folder = demo.folder();
        // Nothing more can be done for what cannot be removed.
        let remove = move || drop(std::fs::remove_dir_all(folder));
        stop.received(remove).await;
        demo.stop().await;
        // The terminal may be gone, and that is no failure.
        let _ = output::line("Stopped; the demo's data is gone.");
        Ok(())
    }
}
