use std::io::IsTerminal;

use keygate_http::RequestLine;
use keygate_traces::Traces;
use tracing_subscriber::EnvFilter;

use crate::{config, failure::Failure};

/// Logs to standard error: for people on a terminal, as JSON lines elsewhere.
pub(crate) fn start(filter: &str) -> Result<(), Failure> {
    let understood = EnvFilter::try_new(filter)
        .ok()
        // A bare word that is no level would name a module, and silence all others.
        .filter(|_| {
            filter
                .split(',')
                .all(|part| part.contains('=') || is_level(part))
        });
    let filter = understood.ok_or_else(|| {
        Failure::new(format!(
            "The log filter \"{filter}\" is not valid. Use off, error, warn, info, debug or trace, or parts like keygate_gateway=debug,info."
        ))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // There is nobody to tell, and the attempt ends the thread.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.with_ansi(colours()).compact().init();
    } else {
        builder.json().flatten_event(true).init();
    }
    Ok(())
}

/// Where traces go, if anywhere.
pub(crate) fn traces(
    settings: &config::Traces,
    line: &RequestLine,
) -> Result<Option<Traces>, Failure> {
    let Some(collector) = &settings.otlp_endpoint else {
        return Ok(None);
    };
    let ratio = settings.sample_ratio.0;
    let traces = Traces::to(&collector.0, ratio, settings.believe, line.clone());
    let traces =
        traces.map_err(|error| Failure::new(format!("Traces cannot be sent ({error})")))?;
    Ok(Some(traces))
}

fn is_level(word: &str) -> bool {
    word.trim()
        .parse::<tracing_subscriber::filter::LevelFilter>()
        .is_ok()
}

/// Whether standard error is a terminal that wants colours.
pub(crate) fn colours() -> bool {
    wants_colours(&std::io::stderr())
}

/// Whether it is a terminal that wants colours.
pub(crate) fn wants_colours(output: &impl IsTerminal) -> bool {
    output.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
