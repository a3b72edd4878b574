//! The upstreams.

use keygate_gateway::{
    InvalidUpstream, PoolTimeouts, Upstream, UpstreamTimeouts, Upstreams, is_forward_auth,
};

use super::{
    sections,
    setting::Given,
    source::{Section, Source},
    value::invalid,
};
use crate::failure::Failure;

/// What stands in the place of a path that is to be probed.
pub(super) const NOT_PROBED: &str = "off";

impl sections::Upstream {
    /// Its path, without a slash at its end unless that is all.
    pub(super) fn path(&self) -> &str {
        match self.path.trim_end_matches('/') {
            "" if self.path.starts_with('/') => "/",
            path => path,
        }
    }

    /// What each of its addresses is called.
    pub(super) fn members(&self) -> impl Iterator<Item = Member> {
        let (path, count) = (self.path(), self.url.0.len());
        (1..=count).map(move |number| match count {
            1 => Member {
                label: path.to_owned(),
                place: None,
            },
            count => Member {
                label: format!("{path}#{number}"),
                place: Some(format!("{number} of {count}")),
            },
        })
    }
}

/// One of the addresses of an upstream.
pub(super) struct Member {
    /// What it is called without saying where it is.
    pub(super) label: String,
    /// Which of how many it is, if there are several.
    pub(super) place: Option<String>,
}

/// The `[[upstream]]` sections that hold: one that the command line names takes the place of that for
/// `/v1`, with all of its settings.
pub(super) fn sections(
    mut sections: Vec<sections::Upstream>,
    given: &[Given],
    gateway: &sections::Gateway,
) -> Result<Vec<sections::Upstream>, Failure> {
    let by_flag = |given: &Given| given.setting == "upstream.url" && given.row.is_none();
    if given.iter().any(by_flag) {
        let named = sections::Upstream::read(Source::new(given))?;
        sections.retain(|section| section.path() != named.path());
        sections.push(named);
    }
    let mut paths: Vec<&str> = sections.iter().map(sections::Upstream::path).collect();
    paths.sort_unstable();
    if let Some([twice, _]) = paths.array_windows().find(|[one, next]| one == next) {
        let rule = "must differ from one [[upstream]] to the next";
        return Err(invalid("upstream.path", twice, rule));
    }
    // Of all paths those that are keygate's own can be left out.
    let has_own =
        |path: &&str| *path != "/" && (keygate_web::is_own(path) || is_forward_auth(path));
    if gateway.listen.is_none()
        && let Some(path) = paths.iter().copied().find(has_own)
    {
        let rule = "that path is keygate's own on server.listen. Give upstreams a second address with gateway.listen, or choose another path, with strip_path = true";
        return Err(invalid("upstream.path", path, rule));
    }
    Ok(sections)
}

pub(super) fn upstreams(sections: &[sections::Upstream]) -> Result<Upstreams, Failure> {
    let each = sections.iter().flat_map(|section| {
        let urls = section.url.0.iter().zip(section.members());
        urls.map(move |(url, member)| upstream(section, url, &member))
    });
    let upstreams: Result<Vec<_>, _> = each.collect();
    Ok(Upstreams::new(upstreams?))
}

fn upstream(section: &sections::Upstream, url: &str, member: &Member) -> Result<Upstream, Failure> {
    let credential = section.credential_file.as_ref();
    let credential = credential
        .map(|file| file.read("upstream.credential_file"))
        .transpose()?;
    let upstream = Upstream::new(
        section.path(),
        url,
        credential.as_deref(),
        UpstreamTimeouts {
            connect: section.connect_timeout,
            write: section.write_timeout,
            response: section.response_timeout,
        },
        PoolTimeouts {
            idle: section.idle_timeout,
            age: section.max_connection_age,
        },
    );
    let upstream = upstream.map(|upstream| {
        if section.strip_path {
            upstream.with_path_stripped()
        } else {
            upstream
        }
    });
    let probe_path = section
        .status_path
        .as_deref()
        .filter(|path| *path != NOT_PROBED);
    let upstream = upstream.and_then(|upstream| match probe_path {
        Some(path) => upstream.with_probe_path(path),
        None if section.status_path.is_some() => Ok(upstream.without_health_checks()),
        None => Ok(upstream),
    });
    let upstream = upstream.and_then(|upstream| match member.place {
        Some(_) => upstream.with_label(&member.label),
        None => Ok(upstream),
    });
    upstream.map_err(|why| match &why {
        InvalidUpstream::Path => invalid("upstream.path", section.path(), &why),
        InvalidUpstream::Url | InvalidUpstream::Certificates(_) => {
            invalid("upstream.url (--upstream)", url, &why)
        }
        InvalidUpstream::ProbePath => {
            let path = probe_path.unwrap_or_default();
            invalid("upstream.status_path", path, format!("{why}, or off"))
        }
        InvalidUpstream::Credential => {
            Failure::new(format!("The file in upstream.credential_file {why}."))
        }
    })
}
