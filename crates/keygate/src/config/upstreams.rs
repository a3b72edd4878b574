//! The upstreams.

use keygate_gateway::{
    InvalidUpstream, Models, Paths, PoolTimeouts, Upstream, UpstreamTimeouts, Upstreams,
};

use super::{
    sections,
    setting::Given,
    source::{Section, Source},
    value::invalid,
};
use crate::failure::Failure;

/// Which paths on `server.listen` are the data plane's.
pub(crate) const SERVER_PATHS: Paths = Paths::Shared {
    is_own: keygate_web::is_own,
};

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
}

/// One of the addresses of an upstream.
pub(super) struct Member<'a> {
    pub(super) section: &'a sections::Upstream,
    url: &'a str,
    /// What it is called without saying where it is: its path, and its number if there are several of that path.
    pub(super) label: String,
    is_labelled: bool,
    /// Which of how many of its upstream it is, if there are several.
    pub(super) place: Option<String>,
}

/// Every address of every upstream.
pub(super) fn members(sections: &[sections::Upstream]) -> Vec<Member<'_>> {
    let mut members = Vec::new();
    for section in sections {
        let path = section.path();
        let of_path = sections.iter().filter(|other| other.path() == path);
        let is_labelled = of_path.map(|other| other.url.0.len()).sum::<usize>() > 1;
        let count = section.url.0.len();
        for (index, url) in section.url.0.iter().enumerate() {
            let before = members
                .iter()
                .filter(|member: &&Member<'_>| member.section.path() == path);
            let number = before.count() + 1;
            members.push(Member {
                section,
                url,
                label: if is_labelled {
                    format!("{path}#{number}")
                } else {
                    path.to_owned()
                },
                is_labelled,
                place: (count > 1).then(|| format!("{} of {count}", index + 1)),
            });
        }
    }
    members
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
    let mut places: Vec<_> = sections
        .iter()
        .map(|section| (section.path().to_ascii_lowercase(), &section.models))
        .collect();
    places.sort_unstable();
    if let Some([(twice, _), _]) = places.array_windows().find(|[one, next]| one == next) {
        let rule = "must differ from one [[upstream]] to the next, unless their models do";
        return Err(invalid("upstream.path", twice, rule));
    }
    for section in &sections {
        let urls = &section.url.0;
        let twice = (1..urls.len()).find(|place| urls[..*place].contains(&urls[*place]));
        if let Some(twice) = twice {
            return Err(invalid(
                "upstream.url",
                &urls[twice],
                "must name each address once",
            ));
        }
    }
    let mut models = sections.iter().flat_map(|section| &section.models);
    let is_no_name = |model: &&String| model.is_empty() || model.contains(char::is_control);
    if let Some(model) = models.find(is_no_name) {
        let rule = "must list names of models, in which * stands for any text";
        return Err(invalid("upstream.models", model.escape_debug(), rule));
    }
    // Of all paths those that are keygate's own can be left out.
    let has_own = |path: &&str| *path != "/" && SERVER_PATHS.keep(path);
    if gateway.listen.is_none()
        && let Some(path) = sections.iter().map(sections::Upstream::path).find(has_own)
    {
        let rule = "that path is keygate's own on server.listen. Give upstreams a second address with gateway.listen, or choose another path, with strip_path = true";
        return Err(invalid("upstream.path", path, rule));
    }
    Ok(sections)
}

pub(super) fn upstreams(sections: &[sections::Upstream]) -> Result<Upstreams, Failure> {
    let upstreams: Result<Vec<_>, _> = members(sections).iter().map(upstream).collect();
    Ok(Upstreams::new(upstreams?))
}

fn upstream(member: &Member<'_>) -> Result<Upstream, Failure> {
    let Member { section, url, .. } = member;
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
    let upstream = upstream.and_then(|upstream| {
        if member.is_labelled {
            upstream.with_label(&member.label)
        } else {
            Ok(upstream)
        }
    });
    let upstream = upstream.map(|upstream| {
        if section.models.is_empty() {
            upstream
        } else {
            upstream.for_models(Models::like(&section.models))
        }
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
