use std::{path::Path, time::Duration};

use keygate_gateway::{InvalidUpstream, Keeping, Patience, Upstream, Upstreams};

use super::{
    file,
    resolve::{duration, invalid, read_secret},
};
use crate::failure::Failure;

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const DEFAULT_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_RESPONSE_TIMEOUT: Duration = Duration::from_mins(10);
/// Most servers close what was not used for 5 seconds.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
const DEFAULT_MAX_CONNECTION_AGE: Duration = Duration::from_mins(1);

/// What stands in the place of a path that is to be probed.
pub(super) const NOT_PROBED: &str = "off";

/// The `[[upstream]]` sections that hold: one that the command line names takes the place of that for
/// `/v1`, with all of its settings.
pub(super) fn sections(
    mut sections: Vec<file::Upstream>,
    flag: Option<&str>,
) -> Result<Vec<file::Upstream>, Failure> {
    if let Some(url) = flag {
        sections.retain(|section| path_of(section) != "/v1");
        sections.push(file::Upstream {
            url: Some(url.to_owned()),
            ..file::Upstream::default()
        });
    }
    let mut paths: Vec<String> = sections.iter().map(path_of).collect();
    paths.sort_unstable();
    if let Some([twice, _]) = paths.array_windows().find(|[one, next]| one == next) {
        let rule = "must differ from one [[upstream]] to the next";
        return Err(invalid("upstream.path", twice, rule));
    }
    Ok(sections)
}

/// The path of a section, without a slash at its end.
pub(super) fn path_of(section: &file::Upstream) -> String {
    let path = section.path.as_deref().unwrap_or("/v1");
    path.trim_end_matches('/').to_owned()
}

pub(super) fn upstreams(sections: &[file::Upstream], folder: &Path) -> Result<Upstreams, Failure> {
    let upstreams: Result<Vec<_>, _> = sections
        .iter()
        .map(|section| upstream(section, &path_of(section), folder))
        .collect();
    Ok(Upstreams::new(upstreams?))
}

fn upstream(section: &file::Upstream, path: &str, folder: &Path) -> Result<Upstream, Failure> {
    let url = section.url.as_deref().ok_or_else(|| {
        Failure::new("An [[upstream]] lacks its url, like url = \"http://127.0.0.1:11434\".")
    })?;
    let credential = section
        .credential_file
        .as_deref()
        .map(|path| read_secret("upstream.credential_file", path, folder))
        .transpose()?;
    let upstream = Upstream::new(
        path,
        url,
        credential.as_deref(),
        patience(section)?,
        keeping(section)?,
    );
    let probe_path = section
        .status_path
        .as_deref()
        .filter(|path| *path != NOT_PROBED);
    let upstream = match probe_path {
        Some(path) => upstream.and_then(|upstream| upstream.with_probe_path(path)),
        None => upstream,
    };
    upstream.map_err(|why| match &why {
        InvalidUpstream::Path => invalid("upstream.path", path, &why),
        InvalidUpstream::Url | InvalidUpstream::Certificates(_) => {
            invalid("upstream.url (--upstream)", url, &why)
        }
        InvalidUpstream::ProbePath => {
            let path = probe_path.unwrap_or_default();
            invalid("upstream.status_path", path, format!("{why}, or off"))
        }
        InvalidUpstream::Credential => {
            Failure::new(format!("The file of upstream.credential_file {why}."))
        }
    })
}

fn patience(section: &file::Upstream) -> Result<Patience, Failure> {
    Ok(Patience {
        connect: duration(
            "upstream.connect_timeout",
            section.connect_timeout.as_deref(),
            DEFAULT_CONNECT_TIMEOUT,
        )?,
        write: duration(
            "upstream.write_timeout",
            section.write_timeout.as_deref(),
            DEFAULT_WRITE_TIMEOUT,
        )?,
        response: duration(
            "upstream.response_timeout",
            section.response_timeout.as_deref(),
            DEFAULT_RESPONSE_TIMEOUT,
        )?,
    })
}

fn keeping(section: &file::Upstream) -> Result<Keeping, Failure> {
    Ok(Keeping {
        idle: duration(
            "upstream.idle_timeout",
            section.idle_timeout.as_deref(),
            DEFAULT_IDLE_TIMEOUT,
        )?,
        age: duration(
            "upstream.max_connection_age",
            section.max_connection_age.as_deref(),
            DEFAULT_MAX_CONNECTION_AGE,
        )?,
    })
}
