//! The APIs behind the gateway: whether they answer, and take the credential.

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use keygate_core::{Clock, SystemClock, Timestamp};
use keygate_gateway::{Probe, ProbeError, Upstream, Upstreams};

use super::{Clocks, Finding, Reading};

const CHECK: &str = "upstream";
/// How long an upstream may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How far apart its clock and ours may be: `Date` has whole seconds, and the answer was under way.
const TOLERANCE: Duration = Duration::from_secs(5);

pub(super) async fn check(upstreams: &Upstreams, clocks: &mut Clocks) -> Vec<Finding> {
    let mut found = Vec::new();
    for upstream in upstreams.iter() {
        let probed = upstream.probe(PATIENCE).await;
        if let Ok(probe) = &probed {
            clocks.readings.extend(reading(upstream, probe));
        }
        found.push(judge(upstream, probed));
    }
    if found.is_empty() {
        found.push(Finding::warning(
            CHECK,
            "There is no upstream: /v1 answers 502.",
            "Set one with --upstream or [[upstream]], unless keygate only answers proxies.",
        ));
    }
    found
}

fn reading(upstream: &Upstream, probe: &Probe) -> Option<Reading> {
    let since = probe.date?.duration_since(UNIX_EPOCH).ok()?;
    Some(Reading {
        whose: upstream.to_string(),
        theirs: Timestamp::from_millis(i64::try_from(since.as_millis()).ok()?),
        ours: SystemClock.now(),
        tolerance: TOLERANCE,
    })
}

fn judge(upstream: &Upstream, probed: Result<Probe, ProbeError>) -> Finding {
    let Probe { path, status, .. } = match probed {
        Ok(probe) => probe,
        Err(error) => return unreachable(upstream, &error),
    };
    let said = format!("{upstream} answers {} to GET {path}", status.as_u16());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Finding::warning(
            CHECK,
            format!("{said}: it does not accept the credential that keygate sends, or needs one."),
            "Set the credential_file of its [[upstream]] to a file with the upstream's own key.",
        ),
        status if status.is_server_error() => {
            let advice = "Check the upstream's own log.";
            Finding::wrong(CHECK, format!("{said}."), advice)
        }
        _ => Finding::ok(CHECK, format!("{said}.")),
    }
}

fn unreachable(upstream: &Upstream, error: &ProbeError) -> Finding {
    let advice = match error {
        ProbeError::Name(_) => "Check the host in its url, and this machine's DNS.",
        ProbeError::Refused => "Start it, or correct the port in its url.",
        ProbeError::Silent(_) => {
            "Check that it is not overloaded, and that no firewall is in between."
        }
        ProbeError::Tls(_) => {
            "Check that its certificate is valid and that this machine trusts who signed it; a plain upstream is http://."
        }
        ProbeError::Other(_) => "Check its url, and the upstream's own log.",
    };
    Finding::wrong(
        CHECK,
        format!("{upstream} cannot be reached: {error}."),
        advice,
    )
}
