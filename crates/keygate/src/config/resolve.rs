use std::{
    fmt::Display,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use keygate_control::{KeyLimits, Policy, Signup, StatusPolicy};
use keygate_core::{
    Scope,
    key::{KeyFormat, KeyHasher},
};
use keygate_gateway::{Pattern, Route, RouteTable, Upstreams};
use keygate_http::TrustedProxies;
use keygate_storage::KeyRules;
use keygate_traces::Believed;

use super::{
    Database,
    file::{self, File},
    status,
    upstreams::{sections, upstreams},
};
use crate::failure::Failure;

const DEFAULT_DATA: &str = "./keygate-data";
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The port that exporters of metrics have by custom.
const DEFAULT_METRICS_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);
const MIN_PEPPER_BYTES: usize = 32;

/// What stands on the command line or in the environment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Flags {
    pub(crate) data: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) metrics_listen: Option<String>,
    pub(crate) upstream: Option<String>,
    pub(crate) status_interval: Option<String>,
    pub(crate) database: Option<String>,
}

/// Where traces go, and how many of them.
pub(crate) struct TraceSettings {
    pub(crate) endpoint: String,
    pub(crate) ratio: f64,
    pub(crate) believed: Believed,
}

/// Where metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetricsListen {
    /// Nowhere, and nothing is counted.
    Off,
    /// There, as the operator says.
    At(SocketAddr),
    /// There, if it is free.
    Default(SocketAddr),
}

/// Which rules for keys are set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyRulesSet {
    pub(crate) prefix: bool,
    pub(crate) max_active: bool,
    pub(crate) max_total: bool,
}

/// The settings that hold, each checked.
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) database: Database,
    /// Whether the database is named, and not the default one.
    pub(crate) database_is_named: bool,
    pub(crate) listen: SocketAddr,
    /// Where Envoy's questions are answered, if they are.
    pub(crate) ext_authz_listen: Option<SocketAddr>,
    pub(crate) metrics_listen: MetricsListen,
    /// How long to go on after `/readyz` has said that it is over.
    pub(crate) drain_delay: Duration,
    /// How long a client may leave a connection unused.
    pub(crate) keep_alive: Duration,
    /// The configured public address, without a slash at its end.
    pub(crate) public_url: Option<String>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) format: KeyFormat,
    /// Which rules for keys are set, and not the default ones.
    pub(crate) key_rules_set: KeyRulesSet,
    pub(crate) hasher: KeyHasher,
    pub(crate) policy: Policy,
    pub(crate) upstreams: Upstreams,
    pub(crate) routes: RouteTable,
    pub(crate) traces: Option<TraceSettings>,
}

impl Settings {
    /// Takes the rules by which the last server issued keys for those that are not set.
    pub(crate) fn follow(&mut self, noted: KeyRules) {
        let format = noted
            .prefix
            .and_then(|prefix| KeyFormat::with_prefix(&prefix).ok());
        if let (false, Some(format)) = (self.key_rules_set.prefix, format) {
            self.format = format;
        }
        let limits = &mut self.policy.key_limits;
        if let (false, Some(max_active)) = (self.key_rules_set.max_active, noted.max_active) {
            limits.active = max_active;
        }
        if let (false, Some(max_total)) = (self.key_rules_set.max_total, noted.max_total) {
            limits.total = max_total;
        }
    }

    /// The settings by the flags and the file that they name.
    pub(crate) fn load(flags: &Flags) -> Result<Self, Failure> {
        let file = match &flags.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        let folder = flags.config.as_deref().and_then(Path::parent);
        Self::resolve(flags, file, folder.unwrap_or(Path::new("")))
    }

    /// The data folder where none is named.
    pub(crate) fn default_data() -> PathBuf {
        DEFAULT_DATA.into()
    }

    /// Where people reach the program, if it listens on `address`: the public address, or the
    /// one that it listens on, which for all interfaces is also loopback.
    pub(crate) fn origin(&self, address: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        format!("http://{}", reachable(address))
    }

    fn resolve(flags: &Flags, file: File, folder: &Path) -> Result<Self, Failure> {
        let data = flags.data.clone().unwrap_or_else(Self::default_data);
        let listen = flags.listen.clone().or(file.server.listen);
        let sections = sections(file.upstream, flags.upstream.as_deref())?;
        let interval = flags.status_interval.as_deref();
        let status = status::policy(&file.status, interval, &sections)?;
        Ok(Self {
            database_is_named: flags.database.is_some() || file.storage.database.is_some(),
            database: Database::resolve(flags.database.as_deref(), &file.storage, &data)?,
            data,
            listen: listen_address(
                "server.listen (--listen)",
                listen.as_deref().unwrap_or(DEFAULT_LISTEN),
            )?,
            ext_authz_listen: file
                .ext_authz
                .listen
                .map(|text| listen_address("ext_authz.listen", &text))
                .transpose()?,
            metrics_listen: metrics_listen(
                flags
                    .metrics_listen
                    .as_deref()
                    .or(file.metrics.listen.as_deref()),
            )?,
            drain_delay: drain_delay(file.server.drain_delay.as_deref())?,
            keep_alive: duration(
                "server.keep_alive",
                file.server.keep_alive.as_deref(),
                Duration::from_secs(75),
            )?,
            public_url: file.server.public_url.map(public_url).transpose()?,
            trusted_proxies: trusted_proxies(&file.server.trusted_proxies)?,
            key_rules_set: KeyRulesSet {
                prefix: file.keys.prefix.is_some(),
                max_active: file.keys.max_active.is_some(),
                max_total: file.keys.max_total.is_some(),
            },
            format: key_format(file.keys.prefix.as_deref())?,
            hasher: hasher(file.keys.pepper_file.as_deref(), folder)?,
            policy: Policy {
                key_limits: key_limits(&file.keys)?,
                keep_audit: keep_audit(file.audit.keep_days)?,
                ..policy(&file.accounts, status)?
            },
            upstreams: upstreams(&sections, folder)?,
            routes: routes(file.route)?,
            traces: traces(&file.traces)?,
        })
    }
}

/// How a listener is reached from its own machine: all interfaces are also loopback.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

pub(super) fn invalid(setting: &str, value: impl Display, rule: impl Display) -> Failure {
    Failure::new(format!(
        "The setting {setting} {rule}, and \"{value}\" is not that."
    ))
}

fn listen_address(setting: &str, text: &str) -> Result<SocketAddr, Failure> {
    let rule = "must be an address and a port, like 127.0.0.1:8080";
    text.parse().map_err(|_| invalid(setting, text, rule))
}

/// Longer than anybody means, and short enough to be added to any moment.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// The one time that may be none.
fn drain_delay(text: Option<&str>) -> Result<Duration, Failure> {
    let Some(text) = text else {
        return Ok(Duration::ZERO);
    };
    let rule = "must be a time like 5s, or 0s";
    let parsed = humantime::parse_duration(text).ok();
    parsed
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| invalid("server.drain_delay", text, rule))
}

fn metrics_listen(text: Option<&str>) -> Result<MetricsListen, Failure> {
    let setting = "metrics.listen (--metrics-listen)";
    let rule = "must be an address and a port, like 127.0.0.1:9464, or off";
    match text {
        None => Ok(MetricsListen::Default(DEFAULT_METRICS_LISTEN)),
        Some("off") => Ok(MetricsListen::Off),
        Some(text) => {
            let address = text.parse().map_err(|_| invalid(setting, text, rule))?;
            Ok(MetricsListen::At(address))
        }
    }
}

/// The public address as browsers write it in `Origin`: a name in ASCII and lower case, without a port
/// that goes without saying.
fn public_url(text: String) -> Result<String, Failure> {
    let rule = "must be scheme, host and port, like https://keys.example.com";
    origin(&text).ok_or_else(|| invalid("server.public_url", text, rule))
}

fn origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match &*scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let rest = rest.strip_suffix(default_port).unwrap_or(rest);
    let has_port = !rest.ends_with(']') && rest.contains(':');
    let (host, port) = rest
        .rsplit_once(':')
        .filter(|_| has_port)
        .map_or((rest, String::new()), |(host, port)| {
            (host, format!(":{port}"))
        });
    let host = if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        format!("[{address}]")
    } else {
        idna::domain_to_ascii(host).ok()?
    };
    let authority = format!("{host}{port}");
    let parsed: http::uri::Authority = authority.parse().ok()?;
    let is_plain = !authority.contains('@')
        && !host.is_empty()
        && (port.is_empty() || parsed.port_u16().is_some());
    is_plain.then(|| format!("{scheme}://{authority}"))
}

fn traces(section: &file::Traces) -> Result<Option<TraceSettings>, Failure> {
    let ratio = section.sample_ratio.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&ratio) {
        let rule = "must be between 0 and 1";
        return Err(invalid("traces.sample_ratio", ratio, rule));
    }
    let believed = match section.believe.as_deref() {
        None | Some("trusted_proxies") => Believed::TrustedPeers,
        Some("anybody") => Believed::Anybody,
        Some(other) => {
            let rule = "must be trusted_proxies or anybody";
            return Err(invalid("traces.believe", other, rule));
        }
    };
    let Some(endpoint) = &section.otlp_endpoint else {
        return Ok(None);
    };
    let authority = endpoint.strip_prefix("http://");
    let authority = authority.map(|rest| rest.trim_end_matches('/').parse());
    let authority: Option<http::uri::Authority> = authority.and_then(Result::ok);
    if authority.is_none_or(|authority| authority.as_str().contains('@')) {
        let rule = "must be http://, host and port, like http://127.0.0.1:4317";
        return Err(invalid("traces.otlp_endpoint", endpoint, rule));
    }
    Ok(Some(TraceSettings {
        endpoint: endpoint.clone(),
        ratio,
        believed,
    }))
}

fn trusted_proxies(networks: &[String]) -> Result<TrustedProxies, Failure> {
    let parse = |text: &String| {
        let network = text.parse().or_else(|_| text.parse().map(single));
        let rule = "must list addresses or networks, like 10.0.0.0/8";
        network.map_err(|_| invalid("server.trusted_proxies", text, rule))
    };
    let networks: Result<Vec<_>, _> = networks.iter().map(parse).collect();
    Ok(TrustedProxies::new(networks?))
}

fn single(address: std::net::IpAddr) -> ipnet::IpNet {
    address.into()
}

fn key_format(prefix: Option<&str>) -> Result<KeyFormat, Failure> {
    let Some(prefix) = prefix else {
        return Ok(KeyFormat::default());
    };
    KeyFormat::with_prefix(prefix).map_err(|rule| invalid("keys.prefix", prefix, rule))
}

fn hasher(pepper_file: Option<&str>, folder: &Path) -> Result<KeyHasher, Failure> {
    let Some(path) = pepper_file else {
        return Ok(KeyHasher::default());
    };
    let pepper = read_secret("keys.pepper_file", path, folder)?;
    if pepper.len() < MIN_PEPPER_BYTES {
        return Err(invalid(
            "keys.pepper_file",
            path,
            format!("must name a file with at least {MIN_PEPPER_BYTES} bytes"),
        ));
    }
    Ok(KeyHasher::peppered(pepper.into_bytes()))
}

/// A secret from a file, without the line end that editors leave.
pub(super) fn read_secret(setting: &str, path: &str, folder: &Path) -> Result<String, Failure> {
    let path = folder.join(path);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let path = path.display();
        Failure::new(format!(
            "The file {path} of the setting {setting} cannot be read ({error})."
        ))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn at_least_one(setting: &str, number: Option<u32>) -> Result<Option<u32>, Failure> {
    match number {
        Some(0) => Err(invalid(setting, 0, "must be 1 or more")),
        number => Ok(number),
    }
}

fn key_limits(keys: &file::Keys) -> Result<KeyLimits, Failure> {
    let default = Policy::default().key_limits;
    let active = at_least_one("keys.max_active", keys.max_active)?;
    let active = active.unwrap_or(default.active);
    let total = at_least_one("keys.max_total", keys.max_total)?;
    // Whoever lets an account have many active keys need not say so twice.
    let total = total.unwrap_or(default.total.max(active));
    if total < active {
        let rule = "must not be less than keys.max_active";
        return Err(invalid("keys.max_total", total, rule));
    }
    Ok(KeyLimits { active, total })
}

fn keep_audit(days: Option<u32>) -> Result<Option<Duration>, Failure> {
    let days = at_least_one("audit.keep_days", days)?;
    Ok(days.map(|days| Duration::from_hours(u64::from(days) * 24)))
}

fn policy(accounts: &file::Accounts, status: StatusPolicy) -> Result<Policy, Failure> {
    let default = Policy::default();
    let signup = match accounts.signup.as_deref() {
        None => default.signup,
        Some("closed") => Signup::Closed,
        Some("invite") => Signup::Invite,
        Some("open") => Signup::Open,
        Some(other) => {
            let rule = "must be closed, invite or open";
            return Err(invalid("accounts.signup", other, rule));
        }
    };
    let setting = "accounts.changes_per_minute";
    let changes_per_minute = at_least_one(setting, accounts.changes_per_minute)?;
    let idle = accounts.session_idle.as_deref();
    let absolute = accounts.session_absolute.as_deref();
    Ok(Policy {
        changes_per_minute: changes_per_minute.unwrap_or(default.changes_per_minute),
        signup,
        session_idle: duration("accounts.session_idle", idle, default.session_idle)?,
        session_absolute: duration(
            "accounts.session_absolute",
            absolute,
            default.session_absolute,
        )?,
        status,
        ..default
    })
}

pub(super) fn duration(
    setting: &str,
    text: Option<&str>,
    default: Duration,
) -> Result<Duration, Failure> {
    let Some(text) = text else {
        return Ok(default);
    };
    let parsed = humantime::parse_duration(text).ok();
    parsed
        .filter(|duration| !duration.is_zero() && *duration <= LONGEST)
        .ok_or_else(|| invalid(setting, text, "must be a time like 30s, 10m, 12h or 7d"))
}

fn routes(sections: Vec<file::Route>) -> Result<RouteTable, Failure> {
    let routes: Result<Vec<_>, _> = sections.into_iter().map(route).collect();
    Ok(RouteTable::new(routes?))
}

fn route(section: file::Route) -> Result<Route, Failure> {
    let missing = |what: &str| Failure::new(format!("A [[route]] lacks its {what}."));
    let path = section.path.ok_or_else(|| missing("path"))?;
    let scope = section.scope.ok_or_else(|| missing("scope"))?;
    let methods: Result<Vec<_>, _> = section
        .methods
        .iter()
        .map(|name| {
            let method = name.parse().ok();
            let method = method.filter(|_| *name == name.to_uppercase());
            method.ok_or_else(|| {
                invalid(
                    "route.methods",
                    name,
                    "must list methods, like [\"DELETE\"]",
                )
            })
        })
        .collect();
    Ok(Route {
        methods: methods?,
        pattern: Pattern::parse(&path).map_err(|rule| invalid("route.path", &path, rule))?,
        scope: Scope::parse(&scope)
            .ok_or_else(|| invalid("route.scope", &scope, "must be chat, read, write or admin"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reference::SETTINGS;

    fn resolve(text: &str) -> Result<Settings, String> {
        let file = File::parse(text)?;
        let settings = Settings::resolve(&Flags::default(), file, Path::new(""));
        settings.map_err(|failure| failure.to_string())
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let settings = resolve("").expect("valid");
        assert_eq!(settings.database.to_string(), "./keygate-data/keygate.db");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.policy.key_limits.active, 10);
        assert_eq!(settings.policy.key_limits.total, 1_000);
        assert_eq!(settings.policy.changes_per_minute, 120);
        assert_eq!(settings.policy.keep_audit, None);
        assert_eq!(settings.policy.signup, Signup::Invite);
        assert_eq!(settings.upstreams.to_string(), "");
    }

    #[test]
    fn public_address_is_written_as_browsers_write_it() {
        for (text, expected) in [
            ("https://keys.example.com", Some("https://keys.example.com")),
            (
                "https://keys.example.com:443/",
                Some("https://keys.example.com"),
            ),
            (
                "http://Keys.Example.com:80",
                Some("http://keys.example.com"),
            ),
            (
                "HTTPS://keys.example.com:8443",
                Some("https://keys.example.com:8443"),
            ),
            (
                "https://schl\u{fc}ssel.example",
                Some("https://xn--schlssel-95a.example"),
            ),
            ("http://[2001:DB8::1]", Some("http://[2001:db8::1]")),
            ("http://[::1]:8080/", Some("http://[::1]:8080")),
            ("http://[0:0:0::0:1]:8080", Some("http://[::1]:8080")),
            ("http://gpubox:8080", Some("http://gpubox:8080")),
            ("keys.example.com", None),
            ("ftp://keys.example.com", None),
            ("https://", None),
            ("https://a@keys.example.com", None),
            ("https://keys.example.com/keygate", None),
            ("https://keys.example.com:x", None),
        ] {
            assert_eq!(origin(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn metrics_are_where_they_are_set_to_be_and_the_flag_comes_first() {
        let at = |file: &str, flag: Option<&str>| {
            let flags = Flags {
                metrics_listen: flag.map(str::to_owned),
                ..Flags::default()
            };
            let file = File::parse(file).expect("valid");
            let settings = Settings::resolve(&flags, file, Path::new(""));
            settings.expect("valid").metrics_listen
        };
        let address = |text: &str| text.parse().expect("an address");
        let set = "[metrics]\nlisten = \"10.0.0.1:9464\"";
        let off = "[metrics]\nlisten = \"off\"";
        assert_eq!(
            at("", None),
            MetricsListen::Default(address("127.0.0.1:9464"))
        );
        assert_eq!(at(set, None), MetricsListen::At(address("10.0.0.1:9464")));
        assert_eq!(at(off, None), MetricsListen::Off);
        assert_eq!(at(set, Some("off")), MetricsListen::Off);
        assert_eq!(
            at(off, Some("[::1]:1")),
            MetricsListen::At(address("[::1]:1"))
        );
    }

    #[test]
    fn bad_values_name_their_setting_and_its_rule() {
        let mut failures = String::new();
        for text in [
            "[server]\nlisten = \"8080\"",
            "[ext_authz]\nlisten = \"9191\"",
            "[metrics]\nlisten = \"no\"",
            "[server]\npublic_url = \"keys.example.com\"",
            "[server]\npublic_url = \"https://keys.example.com/path\"",
            "[server]\ntrusted_proxies = [\"everyone\"]",
            "[keys]\nprefix = \"sk-\"",
            "[keys]\nmax_active = 0",
            "[keys]\npepper_file = \"/nonexistent/pepper\"",
            "[accounts]\nsignup = \"maybe\"",
            "[accounts]\nsession_idle = \"soon\"",
            "[accounts]\nsession_absolute = \"0s\"",
            "[server]\nkeep_alive = \"18446744073709551615s\"",
            "[server]\ndrain_delay = \"soon\"",
            "[storage]\npool_size = 0",
            "[storage]\nlease = \"1ms\"",
            "[storage]\non_storage_loss = \"hope\"",
            "[storage]\ndatabase = \"postgres://host:port/keygate\"",
            "[storage]\ndatabase = \"postgres://host/keygate\"\npool_size = 1",
            "[storage]\ndatabase = \"postgres://host/keygate\"\nlease = \"1ms\"",
            "[storage]\ndatabase = \"postgres://host/keygate\"\non_storage_loss = \"hope\"",
            "[traces]\notlp_endpoint = \"localhost:4317\"",
            "[traces]\notlp_endpoint = \"https://collector.example.com:4317\"",
            "[traces]\nsample_ratio = 1.5",
            "[traces]\nbelieve = \"everybody\"",
            "[status]\ninterval = \"1ms\"",
            "[status]\ninterval = \"now\"",
            "[status]\ninterval = \"1s\"\ntimeout = \"2s\"",
            "[[upstream]]\nurl = \"http://a\"\nname = \"\"",
            "[[upstream]]\nurl = \"http://a\"\nstatus_path = \"health\"",
            "[[upstream]]\npath = \"/v1\"",
            "[[upstream]]\nurl = \"localhost:11434\"",
            "[[upstream]]\nurl = \"http://a\"\npath = \"/api\"",
            "[[upstream]]\nurl = \"http://a\"\n[[upstream]]\nurl = \"http://b\"\npath = \"/v1/\"",
            "[[route]]\npath = \"/v1/a\"",
            "[[route]]\npath = \"/v1/a\"\nscope = \"root\"",
            "[[route]]\npath = \"/v1/*/a\"\nscope = \"read\"",
            "[[route]]\nmethods = [\"get\"]\npath = \"/v1/a\"\nscope = \"read\"",
        ] {
            let failure = resolve(text).err().expect(text);
            failures.push_str(&format!("{text}\n  {failure}\n"));
        }
        insta::assert_snapshot!(failures);
    }

    /// Whoever writes a default down changes nothing.
    #[test]
    fn every_default_of_the_reference_can_be_written() {
        let is_prose =
            |default: &str| default.contains(' ') || ["none", "all", "required"].contains(&default);
        for setting in SETTINGS.iter().filter(|setting| !is_prose(setting.default)) {
            let (table, name) = setting.name.rsplit_once('.').expect("a table and a name");
            let table = match table {
                "upstream" => "[[upstream]]\nurl = \"http://a\"".to_owned(),
                table => format!("[{table}]"),
            };
            let default = setting.default;
            let value = if setting.example.starts_with('"') {
                format!("\"{default}\"")
            } else {
                default.to_owned()
            };
            let text = format!("{table}\n{name} = {value}\n");
            if let Err(failure) = resolve(&text) {
                panic!("{text}{failure}");
            }
        }
    }

    #[test]
    fn the_flag_takes_the_place_of_the_files_upstream() {
        let file = File::parse("[[upstream]]\nurl = \"http://file\"").expect("valid");
        let flags = Flags {
            upstream: Some("http://flag".into()),
            ..Flags::default()
        };
        let settings = Settings::resolve(&flags, file, Path::new("")).expect("valid");
        assert_eq!(settings.upstreams.to_string(), "http://flag");
    }
}
