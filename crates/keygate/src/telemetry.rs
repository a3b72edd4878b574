use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Logs to standard error: for people on a terminal, as JSON lines elsewhere.
pub(crate) fn start(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::new(format!(
            "The log filter \"{filter}\" is not understood ({error}). Give a level like info or debug, or parts like keygate_gateway=debug,info."
        ))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let terminal = std::io::stderr().is_terminal();
    if terminal {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        builder.with_ansi(colours).compact().init();
    } else {
        builder.json().flatten_event(true).init();
    }
    Ok(())
}
