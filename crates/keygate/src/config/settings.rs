//! The settings that hold.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use keygate_control::{KeyLimits, Policy};
use keygate_core::key::{KeyFormat, KeyHasher};
use keygate_gateway::{Route, RouteTable, Upstreams};
use keygate_storage::KeyRules;
use keygate_web::Brand;

use super::{
    Database, file,
    sections::{
        Audit, Cors, ExtAuthz, Gateway, Keys, Metrics, SETTINGS, Sections, Server, Site, Traces,
    },
    setting::Given,
    source::Source,
    status,
    types::SecretFile,
    upstreams,
    value::invalid,
};
use crate::failure::Failure;

const DEFAULT_DATA: &str = "./keygate-data";
const MIN_PEPPER_BYTES: usize = 32;

/// What stands on the command line or in the environment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Flags {
    pub(crate) data: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    /// Settings. Of several for one the first counts.
    pub(crate) given: Vec<Given>,
}

impl Flags {
    /// What they give, and then what the file does that they name.
    pub(crate) fn with_file(&self) -> Result<Vec<Given>, Failure> {
        let mut given = self.given.clone();
        if let Some(path) = &self.config {
            given.extend(file::read(path, &SETTINGS)?);
        }
        Ok(given)
    }
}

/// The settings that hold, each checked, also beside the others.
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) database: Database,
    /// Whether the database is named, and not the default one.
    pub(crate) database_is_named: bool,
    pub(crate) server: Server,
    pub(crate) cors: Cors,
    pub(crate) gateway: Gateway,
    pub(crate) ext_authz: ExtAuthz,
    pub(crate) metrics: Metrics,
    keys: Keys,
    pub(crate) format: KeyFormat,
    pub(crate) hasher: KeyHasher,
    pub(crate) policy: Policy,
    pub(crate) upstreams: Upstreams,
    pub(crate) brand: Brand,
    pub(crate) routes: RouteTable,
    pub(crate) traces: Traces,
}

impl Settings {
    /// Takes the rules by which the last server issued keys for those that are not set.
    pub(crate) fn follow(&mut self, noted: KeyRules) {
        let format = noted
            .prefix
            .and_then(|prefix| KeyFormat::with_prefix(&prefix).ok());
        if let (true, Some(format)) = (self.keys.prefix.is_default, format) {
            self.format = format;
        }
        let limits = &mut self.policy.key_limits;
        if let (true, Some(max_active)) = (self.keys.max_active.is_default, noted.max_active) {
            limits.active = max_active;
        }
        if let (true, Some(max_total)) = (self.keys.max_total.is_default, noted.max_total) {
            limits.total = max_total;
        }
    }

    /// The settings by flags and variables, and the file that they name.
    pub(crate) fn load(flags: &Flags) -> Result<Self, Failure> {
        Self::resolve(flags.data.clone(), &flags.with_file()?)
    }

    /// The data folder where none is named.
    pub(crate) fn default_data() -> PathBuf {
        DEFAULT_DATA.into()
    }

    /// Where people reach the program, if it listens on `address`: the public address, or the
    /// one that it listens on, which for all interfaces is also loopback.
    pub(crate) fn origin(&self, address: SocketAddr) -> String {
        if let Some(url) = &self.server.public_url {
            return url.0.clone();
        }
        format!("http://{}", reachable(address))
    }

    fn resolve(data: Option<PathBuf>, given: &[Given]) -> Result<Self, Failure> {
        let Sections {
            server,
            site,
            cors,
            gateway,
            ext_authz,
            metrics,
            keys,
            accounts,
            audit,
            upstream,
            route,
            storage,
            status,
            traces,
        } = Sections::read(Source::new(given))?;
        let data = data.unwrap_or_else(Self::default_data);
        let upstream = upstreams::sections(upstream, given, &gateway)?;
        let routes = route.into_iter().map(|route| Route {
            methods: route.methods,
            pattern: route.path,
            scope: route.scope,
        });
        Ok(Self {
            database_is_named: !storage.database.is_default,
            database: Database::resolve(&storage, &data)?,
            data,
            format: keys.prefix.value.clone(),
            hasher: hasher(keys.pepper_file.as_ref())?,
            policy: Policy {
                key_limits: key_limits(&keys)?,
                changes_per_minute: accounts.changes_per_minute.get(),
                keep_audit: keep_audit(&audit),
                signup: accounts.signup,
                session_idle: accounts.session_idle,
                session_absolute: accounts.session_absolute,
                status: status::policy(&status, &upstream)?,
            },
            upstreams: upstreams::upstreams(&upstream)?,
            brand: brand(site)?,
            routes: RouteTable::new(routes.collect()),
            server,
            cors,
            gateway,
            ext_authz,
            metrics,
            keys,
            traces,
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

fn hasher(pepper_file: Option<&SecretFile>) -> Result<KeyHasher, Failure> {
    let Some(file) = pepper_file else {
        return Ok(KeyHasher::default());
    };
    let pepper = file.read("keys.pepper_file")?;
    if pepper.len() < MIN_PEPPER_BYTES {
        let rule = format!("must name a file with at least {MIN_PEPPER_BYTES} bytes");
        return Err(invalid("keys.pepper_file", file.0.display(), rule));
    }
    Ok(KeyHasher::peppered(pepper.into_bytes()))
}

fn brand(site: Site) -> Result<Brand, Failure> {
    let logo = site.logo_file.map(|file| file.read("site.logo_file"));
    Ok(Brand {
        name: site.name.0,
        logo: logo.transpose()?,
        contact: site.contact,
    })
}

fn key_limits(keys: &Keys) -> Result<KeyLimits, Failure> {
    let active = keys.max_active.value.get();
    let mut total = keys.max_total.value.get();
    if keys.max_total.is_default {
        // Whoever lets an account have many active keys need not say so twice.
        total = total.max(active);
    }
    if total < active {
        let rule = "must not be less than keys.max_active";
        return Err(invalid("keys.max_total", total, rule));
    }
    Ok(KeyLimits { active, total })
}

fn keep_audit(audit: &Audit) -> Option<Duration> {
    let days = audit.keep_days?.get();
    Some(Duration::from_hours(u64::from(days) * 24))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keygate_control::Signup;

    use super::*;
    use crate::config::{AddressOrOff, Place};

    /// With these settings by flag.
    fn resolve_with(flags: &[(&'static str, &str)], text: &str) -> Result<Settings, String> {
        let flags = flags.iter();
        let mut given: Vec<_> = flags
            .map(|(setting, text)| Given::once(setting, Place::Flag, *text))
            .collect();
        given.extend(file::parse(text, Path::new(""), &SETTINGS)?);
        Settings::resolve(None, &given).map_err(|failure| failure.to_string())
    }

    fn resolve(text: &str) -> Result<Settings, String> {
        resolve_with(&[], text)
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let settings = resolve("").expect("valid");
        assert_eq!(settings.database.to_string(), "./keygate-data/keygate.db");
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.policy.key_limits.active, 10);
        assert_eq!(settings.policy.key_limits.total, 1_000);
        assert_eq!(settings.policy.changes_per_minute, 120);
        assert_eq!(settings.policy.keep_audit, None);
        assert_eq!(settings.policy.signup, Signup::Invite);
        assert_eq!(settings.upstreams.to_string(), "");
    }

    /// What the use cases and their tests have by themselves is what a keygate without settings has.
    #[test]
    fn defaults_are_those_of_the_use_cases() {
        let settings = resolve("").expect("valid");
        let policy = format!("{:?}", settings.policy);
        assert_eq!(policy, format!("{:?}", Policy::default()));
        assert_eq!(settings.format, KeyFormat::default());
    }

    #[test]
    fn metrics_are_where_they_are_set_to_be_and_the_flag_comes_first() {
        let at = |text: &str, flag: Option<&'static str>| {
            let flag = flag.map(|text| ("metrics.listen", text));
            let settings = resolve_with(flag.as_slice(), text).expect("valid");
            let listen = settings.metrics.listen;
            (listen.value, listen.is_default)
        };
        let address = |text: &str| AddressOrOff::At(text.parse().expect("an address"));
        let set = "[metrics]\nlisten = \"10.0.0.1:9464\"";
        let off = "[metrics]\nlisten = \"off\"";
        assert_eq!(at("", None), (address("127.0.0.1:9464"), true));
        assert_eq!(at(set, None), (address("10.0.0.1:9464"), false));
        assert_eq!(at(off, None), (AddressOrOff::Off, false));
        assert_eq!(at(set, Some("off")), (AddressOrOff::Off, false));
        assert_eq!(at(off, Some("[::1]:1")), (address("[::1]:1"), false));
    }

    #[test]
    fn first_of_several_ways_to_give_a_setting_counts() {
        let flags = [
            ("keys.max_active", "1"),
            ("keys.max_active", "2"),
            ("server.trusted_proxies", "10.0.0.0/8, ::1"),
        ];
        let settings = resolve_with(&flags, "[keys]\nmax_active = 3").expect("valid");
        assert_eq!(settings.policy.key_limits.active, 1);
        assert_eq!(settings.server.trusted_proxies.len(), 2);
    }

    #[test]
    fn accounts_with_more_active_keys_may_have_as_many_keys() {
        let settings = resolve("[keys]\nmax_active = 5000").expect("valid");
        assert_eq!(settings.policy.key_limits.total, 5_000);
        let why = resolve("[keys]\nmax_active = 5000\nmax_total = 1000").err();
        assert!(why.is_some_and(|why| why.contains("must not be less than keys.max_active")));
    }

    #[test]
    fn bad_values_name_their_setting_and_its_rule() {
        let mut failures = String::new();
        for text in [
            "[server]\nlisten = \"8080\"",
            "[site]\nname = \" \"",
            "[site]\nlogo_file = \"/nonexistent/logo.svg\"",
            "[site]\nlogo_file = \"Cargo.toml\"",
            "[site]\ncontact = \"us\"",
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
            "[keys]\nmax_active = 4294967296",
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
            "[[upstream]]\nurl = [\"http://a\", \"http://b\", \"http://a\"]",
            "[[upstream]]\nurl = \"http://a\"\npath = \"v1\"",
            "[[upstream]]\nurl = \"http://a:99999\"",
            "[[upstream]]\nurl = \"http://a\"\nmodels = [\"\"]",
            "[[upstream]]\nurl = \"http://a\"\npath = \"/a\"\n[[upstream]]\nurl = \"http://a\"\npath = \"/A\"",
            "[[upstream]]\nurl = \"http://a\"\n[[upstream]]\nurl = \"http://b\"\npath = \"/v1/\"",
            "[[route]]\npath = \"/v1/a\"",
            "[[route]]\npath = \"/v1/a\"\nscope = \"root\"",
            "[[route]]\npath = \"/v1/a*/b\"\nscope = \"read\"",
            "[[route]]\nmethods = [\"get\"]\npath = \"/v1/a\"\nscope = \"read\"",
        ] {
            let failure = resolve(text).err().expect(text);
            failures.push_str(&format!("{text}\n  {failure}\n"));
        }
        insta::assert_snapshot!(failures);
    }

    #[test]
    fn the_flag_takes_the_place_of_the_files_upstream() {
        let flags = [("upstream.url", "http://flag")];
        let file = "[[upstream]]\nurl = \"http://file\"\n[[upstream]]\nurl = \"http://b\"\npath = \"/v1/b\"";
        let settings = resolve_with(&flags, file).expect("valid");
        assert_eq!(settings.upstreams.to_string(), "http://b, http://flag");
    }
}
