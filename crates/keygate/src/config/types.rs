//! The types of settings, and what a value of each must be.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    num::{IntErrorKind, NonZeroU32},
    path::{Path, PathBuf},
    time::Duration,
};

use http::{Method, uri::Authority};
use ipnet::IpNet;
use keygate_control::Signup;
use keygate_core::{
    ComponentName, Scope,
    key::{InvalidPrefix, KeyFormat},
};
use keygate_gateway::{AllowedOrigin, InvalidPattern, Pattern};
use keygate_traces::Believed;
use keygate_web::{Contact, Logo};

use super::{
    public_url::origin,
    setting::Kind,
    value::{Rule, Value, invalid},
};
use crate::failure::Failure;

/// A file with a secret.
pub(crate) struct SecretFile(pub(crate) PathBuf);

impl SecretFile {
    /// The secret, without the line end that editors leave.
    pub(super) fn read(&self, setting: &str) -> Result<String, Failure> {
        let text = std::fs::read_to_string(&self.0);
        let text = text.map_err(|error| unreadable(&self.0, setting, &error))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// A file with a picture.
pub(crate) struct LogoFile(PathBuf);

impl LogoFile {
    pub(super) fn read(&self, setting: &str) -> Result<Logo, Failure> {
        let rule = "must name a file with an SVG or PNG picture of 64 KiB at most";
        let read = || {
            let metadata = self.0.metadata()?;
            // Others have no end, or none that comes.
            let is_small = metadata.is_file() && metadata.len() <= MAX_LOGO;
            is_small.then(|| std::fs::read(&self.0)).transpose()
        };
        let picture = read().map_err(|error| unreadable(&self.0, setting, &error))?;
        let logo = picture.and_then(Logo::new);
        logo.ok_or_else(|| invalid(setting, self.0.display(), rule))
    }
}

fn unreadable(path: &Path, setting: &str, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::new(format!(
        "The file {path} of the setting {setting} cannot be read ({error})."
    ))
}

/// More than the page takes is not even read.
const MAX_LOGO: u64 = Logo::MAX_BYTES as u64;

/// What a service is called.
pub(crate) struct ServiceName(pub(crate) String);

/// A time that may be none.
pub(crate) struct Delay(pub(crate) Duration);

/// A time of at least so many milliseconds, and of an hour at most.
pub(crate) struct Limited<const MIN_MS: u64>(pub(crate) Duration);

/// Where something is served, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressOrOff {
    Off,
    At(SocketAddr),
}

/// How often something is done, if it is.
pub(crate) enum StatusInterval {
    Off,
    Each(Duration),
}

/// How many connections to the database.
pub(crate) struct PoolSize(pub(crate) u32);

/// What is done with keys in memory while the database is away.
#[derive(Clone, Copy)]
pub(crate) enum OnStorageLoss {
    Refuse,
    ServeCached,
}

/// Where a collector of traces is.
pub(crate) struct Collector(pub(crate) String);

/// A part of the whole.
pub(crate) struct Ratio(pub(crate) f64);

/// Longer than anybody means, and short enough to be added to any moment.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

fn time(text: &str) -> Option<Duration> {
    let time = humantime::parse_duration(text).ok();
    time.filter(|time| *time <= LONGEST)
}

fn whole_number(text: &str, min: u32, rule: &'static str) -> Result<u32, Rule> {
    match text.parse::<u32>() {
        Ok(number) if number >= min => Ok(number),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
            Err(format!("must be {} at most", u32::MAX).into())
        }
        _ => Err(rule.into()),
    }
}

/// Types whose values have one rule: the type, how it is written, the rule, and how it is read.
macro_rules! values {
    ($($type:ty, $kind:ident, $rule:expr, |$text:ident| $value:expr;)+) => {$(
        impl Value for $type {
            const KIND: Kind = Kind::$kind;

            fn parse($text: &str) -> Result<Self, Rule> {
                let value: Option<Self> = $value;
                value.ok_or_else(|| $rule.into())
            }
        }
    )+};
}

values! {
    String, Text, "must be text", |text| Some(text.to_owned());

    bool, Boolean, "must be true or false", |text| text.parse().ok();

    SecretFile, SecretFile, "must name a file", |text| Some(Self(text.into()));

    LogoFile, File, "must name a file", |text| Some(Self(text.into()));

    ServiceName, Text, "must be text of 1 to 60 characters", |text| {
        // As long as a component's, which stands in as much room.
        ComponentName::parse(text).ok().map(|name| Self(name.to_string()))
    };

    Contact, Text, "must be an e-mail address, or a web page's address with http:// or https://", |text| Self::parse(text);

    SocketAddr, Text, "must be an address and a port", |text| text.parse().ok();

    AddressOrOff, Text, "must be an address and a port, or off", |text| match text {
        "off" => Some(Self::Off),
        text => text.parse().map(Self::At).ok(),
    };

    IpNet, Text, "must list addresses or networks", |text| {
        text.parse().or_else(|_| text.parse().map(IpAddr::into)).ok()
    };

    Duration, Text, "must be a time with a unit (ms, s, m, h or d)", |text| time(text).filter(|time| !time.is_zero());

    Delay, Text, "must be a time with a unit (ms, s, m, h or d)", |text| time(text).map(Self);

    Ratio, Number, "must be between 0 and 1", |text| {
        text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).map(Self)
    };

    KeyFormat, Text, InvalidPrefix.to_string(), |text| Self::with_prefix(text).ok();

    Signup, Text, "must be closed, invite or open", |text| match text {
        "closed" => Some(Self::Closed),
        "invite" => Some(Self::Invite),
        "open" => Some(Self::Open),
        _ => None,
    };

    OnStorageLoss, Text, "must be refuse or serve-cached", |text| match text {
        "refuse" => Some(Self::Refuse),
        "serve-cached" => Some(Self::ServeCached),
        _ => None,
    };

    Believed, Text, "must be trusted_proxies or anybody", |text| match text {
        "trusted_proxies" => Some(Self::TrustedPeers),
        "anybody" => Some(Self::Anybody),
        _ => None,
    };

    Scope, Text, "must be chat, read, write or admin", |text| Self::parse(text);

    Method, Text, "must list methods in capital letters", |text| {
        text.parse().ok().filter(|_| text == text.to_uppercase())
    };

    AllowedOrigin, Text, "must be scheme, host and port, without a path, or *", |text| match text {
        "*" => Some(Self::Any),
        text => origin(text).and_then(|origin| origin.parse().ok()).map(Self::One),
    };

    Pattern, Text, InvalidPattern.to_string(), |text| Self::parse(text).ok();

    Collector, Text, "must be http://, host and port", |text| {
        let authority = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/').parse());
        let authority: Option<Authority> = authority.and_then(Result::ok);
        authority.filter(|authority| !authority.as_str().contains('@')).map(|_| Self(text.to_owned()))
    };
}

impl<const MIN_MS: u64> Value for Limited<MIN_MS> {
    fn parse(text: &str) -> Result<Self, Rule> {
        let time = Duration::parse(text)?;
        if (Duration::from_millis(MIN_MS)..=Duration::from_hours(1)).contains(&time) {
            return Ok(Self(time));
        }
        Err(format!("must be {MIN_MS}ms or more, and 1h at most").into())
    }
}

impl Value for StatusInterval {
    fn parse(text: &str) -> Result<Self, Rule> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let time = Duration::parse(text)?;
        // Neither more than the disk is for, nor so few that nothing is known.
        if (Duration::from_millis(100)..=Duration::from_hours(1)).contains(&time) {
            return Ok(Self::Each(time));
        }
        Err("must be 100ms to 1h, or off".into())
    }
}

impl Value for NonZeroU32 {
    const KIND: Kind = Kind::Integer;

    fn parse(text: &str) -> Result<Self, Rule> {
        let number = whole_number(text, 1, "must be 1 or more")?;
        Ok(Self::new(number).expect("it is 1 or more"))
    }
}

impl Value for PoolSize {
    const KIND: Kind = Kind::Integer;

    fn parse(text: &str) -> Result<Self, Rule> {
        let rule = "must be 2 or more: one for changes, which may have to wait, and one for looking up keys";
        whole_number(text, 2, rule).map(Self)
    }
}
