//! What the status page shows.

use keygate_control::{Component, StatusPolicy};
use keygate_core::{ComponentId, ComponentName};

use super::{
    sections,
    types::StatusInterval,
    upstreams::{Member, NOT_PROBED, members},
    value::invalid,
};
use crate::failure::Failure;

/// What is probed, and how often: what every keygate has, and its upstreams.
pub(super) fn policy(
    section: &sections::Status,
    upstreams: &[sections::Upstream],
) -> Result<StatusPolicy, Failure> {
    let mut policy = StatusPolicy::default();
    for member in members(upstreams) {
        if member.section.status_path.as_deref() != Some(NOT_PROBED) {
            policy.components.push(component(&member)?);
        }
    }
    match section.interval {
        StatusInterval::Off => policy.components.clear(),
        StatusInterval::Each(interval) => policy.interval = interval,
    }
    policy.timeout = section.timeout.value;
    if section.timeout.is_default {
        policy.timeout = policy.timeout.min(policy.interval);
    }
    if policy.timeout > policy.interval {
        let rule = "must be at most as long as status.interval";
        let timeout = humantime::format_duration(policy.timeout);
        return Err(invalid("status.timeout", timeout, rule));
    }
    Ok(policy)
}

/// With room for which of how many it is.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 48;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let beginning: String = name.chars().take(LONGEST - 1).collect();
    format!("{beginning}…")
}

fn component(member: &Member<'_>) -> Result<Component, Failure> {
    let upstream = member.section;
    let path = upstream.path();
    let mut name = upstream.name.clone().unwrap_or_else(|| match path {
        "/v1" => "API".to_owned(),
        path => format!("API {path}"),
    });
    if upstream.name.is_none() && !upstream.models.is_empty() {
        name = shortened(&format!("{name} {}", upstream.models.join(", ")));
    }
    if let Some(place) = &member.place {
        name = format!("{name} ({place})");
    }
    let id = ComponentId::upstream(&member.label);
    if ComponentId::parse(id.as_str()).is_none() {
        let rule = "must be ASCII, unless its status_path is off";
        return Err(invalid("upstream.path", path, rule));
    }
    Ok(Component {
        id,
        name: ComponentName::parse(&name).map_err(|rule| invalid("upstream.name", &name, rule))?,
    })
}
