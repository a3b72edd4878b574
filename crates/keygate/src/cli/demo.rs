use super::{output, stop_signal::StopSignal};
use crate::{config::Flags, demo, failure::Failure};

/// Runs the demo until it is to stop.
pub(super) async fn run(flags: &Flags) -> Result<(), Failure> {
    if flags.data.is_some() || flags.config.is_some() {
        return Err(Failure::new(
            "The demo has a data folder and a configuration of its own. Leave --data and --config out, or use keygate serve.",
        ));
    }
    let stop = StopSignal::of_demo()?;
    let mut given = flags.given.iter();
    let listen = given.find(|given| given.setting == "server.listen");
    let demo = demo::start(listen.cloned()).await?;
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
