use clap::Args;

use super::{ListenFlag, output, serve::stop_signal};
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
        let stop = stop_signal()?;
        let demo = demo::start(self.listen.listen).await?;
        output::line(&demo.introduction);
        stop.await;
        demo.stop().await;
        output::line("Stopped; the demo's data is gone.");
        Ok(())
    }
}
