use std::{ops::RangeInclusive, time::Duration};

use keygate_control::{Component, StatusPolicy};
use keygate_core::{ComponentId, ComponentName};

use super::{
    file,
    resolve::{duration, invalid},
    upstreams::{NOT_PROBED, path_of},
};
use crate::failure::Failure;

const INTERVAL: &str = "status.interval (--status-interval)";
/// Neither more than the disk is for, nor so few that nothing is known.
const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

/// What is probed, and how often: what every keygate has, and its upstreams.
pub(super) fn policy(
    section: &file::Status,
    interval: Option<&str>,
    upstreams: &[file::Upstream],
) -> Result<StatusPolicy, Failure> {
    let mut policy = StatusPolicy::default();
    for upstream in upstreams {
        if upstream.status_path.as_deref() != Some(NOT_PROBED) {
            policy.components.push(component(upstream)?);
        }
    }
    let interval = interval.or(section.interval.as_deref());
    let timeout = section.timeout.as_deref();
    if interval == Some(NOT_PROBED) {
        policy.components.clear();
    } else {
        policy.interval = duration(INTERVAL, interval, policy.interval)?;
        if !INTERVALS.contains(&policy.interval) {
            let rule = "must be 100ms to 1h, or off";
            return Err(invalid(INTERVAL, interval.unwrap_or_default(), rule));
        }
    }
    let default = policy.timeout.min(policy.interval);
    policy.timeout = duration("status.timeout", timeout, default)?;
    if policy.timeout > policy.interval {
        let rule = "must be at most as long as status.interval";
        return Err(invalid("status.timeout", timeout.unwrap_or_default(), rule));
    }
    Ok(policy)
}

fn component(upstream: &file::Upstream) -> Result<Component, Failure> {
    let path = path_of(upstream);
    let name = upstream.name.clone().unwrap_or_else(|| match &*path {
        "/v1" => "API".to_owned(),
        path => format!("API {path}"),
    });
    let id = ComponentId::upstream(&path);
    if ComponentId::parse(id.as_str()).is_none() {
        let rule = "must be ASCII, unless its status_path is off";
        return Err(invalid("upstream.path", &path, rule));
    }
    Ok(Component {
        id,
        name: ComponentName::parse(&name).map_err(|rule| invalid("upstream.name", &name, rule))?,
    })
}
