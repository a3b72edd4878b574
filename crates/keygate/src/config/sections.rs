//! Every setting, said once: its help, example, default and flag stand on its field, and its type says what it
//! must be. The file, the variables, the flags and the reference come from here.

use std::{net::SocketAddr, num::NonZeroU32, sync::LazyLock, time::Duration};

use http::Method;
use ipnet::IpNet;
use keygate_control::Signup;
use keygate_core::{Scope, key::KeyFormat};
use keygate_gateway::{AllowedOrigin, Pattern};
use keygate_traces::Believed;
use keygate_web::Contact;

use super::{
    public_url::PublicUrl,
    setting::Setting,
    source::{Section, Source},
    types::{
        AddressOrOff, Collector, Delay, Limited, LogoFile, OnStorageLoss, PoolSize, Ratio,
        SecretFile, ServiceName, StatusInterval,
    },
    value::{Chosen, Field, OneOrMore},
};
use crate::failure::Failure;

settings! {
    [server] Server {
        /// The address and port to listen on.
        #[setting(example = "0.0.0.0:8080", default = "127.0.0.1:8080", flag = "--listen ADDRESS")]
        listen: SocketAddr,

        /// The address that people use in the browser: scheme, host and port. Needed unless that is an IP address or
        /// `localhost`: forms sent under another name are refused. With `https` the session cookie is `Secure` and
        /// bound to the host.
        #[setting(example = "https://keys.example.com", unset = "the address listened on", flag = "--public-url URL")]
        public_url: Option<PublicUrl>,

        /// How long to accept requests after SIGTERM while `/readyz` answers 503. It should be as long as the load
        /// balancer needs to notice.
        #[setting(example = "5s", default = "0s")]
        drain_delay: Delay,

        /// How long an idle client connection is kept open. Behind a load balancer it must be longer than the
        /// balancer's own idle timeout, which is 60 seconds to 10 minutes with most.
        #[setting(example = "650s", default = "75s")]
        keep_alive: Duration,

        /// Addresses or networks of proxies in front of keygate. Their `X-Forwarded-For` is trusted, and they may use
        /// `/verify` and `ext_authz` for the requests that they receive.
        #[setting(example = "10.0.0.0/8", unset = "none")]
        trusted_proxies: Vec<IpNet>,
    }

    [site] Site {
        /// What the service is called on its pages.
        #[setting(example = "Acme AI", default = "keygate")]
        name: ServiceName,

        /// A picture that stands before the name: SVG or PNG, 64 KiB at most.
        #[setting(example = "/etc/keygate/logo.svg", unset = "keygate's own")]
        logo_file: Option<LogoFile>,

        /// Where people ask for an account, and for help: an e-mail address or a web page. It stands on the pages for
        /// signing in and on the status page.
        #[setting(example = "support@example.com", unset = "none")]
        contact: Option<Contact>,
    }

    [cors] Cors {
        /// The origins of web pages that may use the API from a browser: scheme, host and port, or `*` for all. Whoever
        /// puts a key into a page gives it to everybody who opens the page.
        #[setting(example = "https://app.example.com", unset = "none")]
        origins: Vec<AllowedOrigin>,
    }

    [gateway] Gateway {
        /// A second address and port, for the data plane alone: there every path is an upstream's. Needed for upstreams
        /// whose paths are keygate's own on `server.listen`, like Ollama's `/api`.
        #[setting(example = "0.0.0.0:8081", unset = "none")]
        listen: Option<SocketAddr>,
    }

    [ext_authz] ExtAuthz {
        /// The address and port on which to serve Envoy's `ext_authz` (gRPC, v3).
        #[setting(example = "127.0.0.1:9191", unset = "none")]
        listen: Option<SocketAddr>,
    }

    [metrics] Metrics {
        /// The address and port on which to serve `/metrics`, without authentication, or `off`.
        /// If it is not set and the default port is taken, keygate starts without metrics.
        #[setting(example = "127.0.0.1:9464", default = "127.0.0.1:9464", flag = "--metrics-listen ADDRESS")]
        listen: Chosen<AddressOrOff>,
    }

    [keys] Keys {
        /// The prefix of every key: a lower-case letter, 1 to 14 lower-case letters or digits, and an underscore.
        /// Keys with another prefix stop working.
        #[setting(example = "acme_", default = "ask_")]
        prefix: Chosen<KeyFormat>,

        /// The maximum number of active keys of an account.
        #[setting(example = "10", default = "10")]
        max_active: Chosen<NonZeroU32>,

        /// The maximum number of keys of an account, including inactive and expired ones. Deleted keys do not count.
        #[setting(example = "1000", default = "1000")]
        max_total: Chosen<NonZeroU32>,

        /// A file with a secret of at least 32 bytes with which keys are hashed (HMAC-SHA-256). It can be set only
        /// while there are no keys, and no key can be checked without it: keep it safe.
        #[setting(example = "/etc/keygate/pepper", unset = "none")]
        pepper_file: Option<SecretFile>,
    }

    [accounts] Accounts {
        /// Who may create an account: `closed` (only the operator), `invite` (everybody with an invitation from the
        /// operator or an admin) or `open` (everybody). The first account is always created with the set-up link or by
        /// the operator.
        #[setting(example = "open", default = "invite")]
        signup: Signup,

        /// How many changes an account may make in a minute, on each node; five thirds of that in a burst. Refused
        /// changes and those of admins do not count.
        #[setting(example = "120", default = "120")]
        changes_per_minute: NonZeroU32,

        /// How long an unused session lasts.
        #[setting(example = "12h", default = "7d")]
        session_idle: Duration,

        /// How long a session lasts at most.
        #[setting(example = "30d", default = "30d")]
        session_absolute: Duration,
    }

    [audit] Audit {
        /// After how many days audit entries are deleted.
        #[setting(example = "1095", unset = "never")]
        keep_days: Option<NonZeroU32>,
    }

    [[upstream]] Upstream {
        /// The path whose requests go to this upstream, including all paths below it; `/` for all. The longest matching
        /// path wins.
        #[setting(example = "/v1/audio", default = "/v1")]
        path: String,

        /// Whether the path stays behind when a request is forwarded: with the path `/ollama`, a request to
        /// `/ollama/api/tags` asks the upstream for `/api/tags`.
        #[setting(example = "true", default = "false")]
        strip_path: bool,

        /// The address of the API to which requests with a valid key are forwarded. A path in it is put before the path
        /// of the request, but for a `/v1` at its end where that begins with `/v1`, too. `h2c://` is for HTTP/2 without TLS,
        /// gRPC included. Of a list of addresses, each request goes to one that works and has the fewest requests under
        /// way. The flag sets the upstream for `/v1`.
        #[setting(example = "http://127.0.0.1:11434", flag = "--upstream URL")]
        url: OneOrMore<String>,

        /// The models for which this upstream is, where several have the same path; `*` stands for any text. A request
        /// goes to the first upstream that names its model, or else to the one without this setting.
        #[setting(example = "llama*", unset = "all")]
        models: Vec<String>,

        /// A file with the upstream's own key, sent to it as `Authorization: Bearer` in place of the client's.
        #[setting(example = "/etc/keygate/openai-key", unset = "none")]
        credential_file: Option<SecretFile>,

        /// How long connecting to the upstream may take, from its name to TLS, before the client gets a 502.
        #[setting(example = "5s", default = "5s")]
        connect_timeout: Duration,

        /// How long the upstream may stop reading a request that is being sent before the client gets a 504.
        #[setting(example = "30s", default = "30s")]
        write_timeout: Duration,

        /// How long the upstream may take to send the complete response headers after the last part of the request
        /// before the client gets a 504. Interim responses (1xx) do not count. A client that sends nothing of its
        /// request body for as long, or for 30 seconds, gets a 408.
        #[setting(example = "2m", default = "10m")]
        response_timeout: Duration,

        /// How long an idle connection to the upstream is kept. It should be less than the upstream's own idle
        /// timeout, which is 5 seconds with many servers; a `Keep-Alive: timeout` of the upstream is respected.
        #[setting(example = "4s", default = "4s")]
        idle_timeout: Duration,

        /// How long a connection to the upstream is used at most, so that a changed address of the upstream takes
        /// effect.
        #[setting(example = "1m", default = "1m")]
        max_connection_age: Duration,

        /// The upstream's name on the public status page.
        #[setting(example = "Speech", unset = "API, with its path if that is not `/v1`, and its models")]
        name: Option<String>,

        /// The path that is requested, with the upstream's credential, to check whether the upstream works: any status
        /// below 500 means that it does. With `off` it is not checked and not on the status page. Each of several
        /// addresses is on the status page, and asked every 5 seconds so as not to be sent requests while it fails.
        #[setting(example = "/health", unset = "/v1/models, or its path, or / if that is stripped")]
        status_path: Option<String>,
    }

    [[route]] Route {
        /// The methods that this route covers.
        #[setting(example = "DELETE", unset = "all")]
        methods: Vec<Method>,

        /// The path that this route covers, as clients send it. A part of it that begins with `*` stands for any that
        /// ends as it does; with `/**` at the end, the route covers all paths below, too.
        #[setting(example = "/v1/models/**")]
        path: Pattern,

        /// The scope that a key needs: `chat`, `read`, `write` or `admin`. The first route that covers a request decides;
        /// the built-in ones come last.
        #[setting(example = "admin")]
        scope: Scope,
    }

    [storage] Storage {
        /// The SQLite file, relative to the data folder unless it is an absolute path; or a PostgreSQL database that
        /// several nodes share, `postgres://user:password@host:5432/keygate?sslmode=verify-full`. The other settings of
        /// this section are for PostgreSQL.
        #[setting(example = "keygate.db", default = "keygate.db", flag = "--database DATABASE")]
        database: Chosen<String>,

        /// The maximum number of connections of a node, besides two that read changes. Half of them may be used for
        /// changes, and a fifth is reserved for looking up keys.
        #[setting(example = "10", default = "10")]
        pool_size: PoolSize,

        /// How long the database may take for a statement.
        #[setting(example = "2s", default = "2s")]
        statement_timeout: Limited<1>,

        /// How long a change may wait for another one that holds a lock.
        #[setting(example = "1s", default = "1s")]
        lock_timeout: Limited<1>,

        /// How long a node may answer from memory after it last read all changes: the longest time that a key still
        /// works on another node once its revocation is acknowledged.
        #[setting(example = "1s", default = "1s")]
        lease: Limited<100>,

        /// What to do with keys in memory when the lease has expired and the database cannot be reached: `refuse` them
        /// with a 503, or `serve-cached`: accept them, though they may have been revoked.
        #[setting(example = "serve-cached", default = "refuse")]
        on_storage_loss: OnStorageLoss,

        /// How long `serve-cached` may last.
        #[setting(example = "10m", default = "10m")]
        max_stale: Duration,
    }

    [status] Status {
        /// How often keygate checks itself, its database and its upstreams for the status page: every 100ms to 1h, or
        /// `off`.
        #[setting(example = "30s", default = "30s", flag = "--status-interval TIME")]
        interval: StatusInterval,

        /// How long such a check may take; at most `status.interval`.
        #[setting(example = "5s", default = "5s")]
        timeout: Chosen<Duration>,
    }

    [traces] Traces {
        /// Where OpenTelemetry traces are sent: a collector that takes OTLP over gRPC.
        #[setting(example = "http://127.0.0.1:4317", unset = "none")]
        otlp_endpoint: Option<Collector>,

        /// The share of traces to keep, from 0 to 1, of those that begin here. Others are kept if their caller keeps
        /// them.
        #[setting(example = "0.1", default = "1.0")]
        sample_ratio: Ratio,

        /// Whose `traceparent` is used: only that of `server.trusted_proxies`, or that of `anybody`, who could then fill
        /// the collector.
        #[setting(example = "anybody", default = "trusted_proxies")]
        believe: Believed,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{
        file,
        setting::{Given, Kind, Place},
    };

    /// Reads all settings where this one is given in the file, beside what its table needs.
    fn read_from_file(setting: &Setting, value: &str) -> Result<Sections, String> {
        let Setting { heading, .. } = setting;
        let (table, name) = setting.table_and_name();
        let mut text = format!("{heading}\n{}\n", setting.line(value));
        for other in SETTINGS.iter() {
            let is_needed = other.default.is_none() && other.unset.is_none();
            if is_needed && other.table_and_name().0 == table && other.table_and_name().1 != name {
                text.push_str(&(other.line(other.example) + "\n"));
            }
        }
        let given = file::parse(&text, Path::new(""), &SETTINGS)?;
        let sections = Sections::read(Source::new(&given));
        sections.map_err(|failure| format!("{text}{failure}"))
    }

    fn read_from_variable(setting: &Setting, text: &str) -> Result<Sections, String> {
        let variable = setting.variables().first().cloned();
        let place = variable.map_or(Place::Flag, Place::Variable);
        let given = [Given::once(setting.name, place, text)];
        let sections = Sections::read(Source::new(&given));
        sections.map_err(|failure| failure.to_string())
    }

    #[test]
    fn every_example_and_every_default_is_valid() {
        for setting in SETTINGS.iter() {
            for value in [Some(setting.example), setting.default]
                .into_iter()
                .flatten()
            {
                read_from_file(setting, value)
                    .map(drop)
                    .expect(setting.name);
                read_from_variable(setting, value)
                    .map(drop)
                    .expect(setting.name);
            }
        }
    }

    #[test]
    fn every_setting_says_what_holds_without_it_or_is_needed() {
        for setting in SETTINGS.iter() {
            let is_said = setting.default.is_some() || setting.unset.is_some();
            assert!(is_said || setting.is_of_list(), "{}", setting.name);
            assert!(
                setting.default.is_none() || setting.unset.is_none(),
                "{}",
                setting.name
            );
            assert!(setting.help.ends_with('.'), "{}", setting.name);
        }
    }

    #[test]
    fn every_setting_but_those_of_lists_has_a_variable_and_no_two_have_one() {
        let mut seen = std::collections::BTreeSet::new();
        for setting in SETTINGS.iter() {
            let variables = setting.variables();
            let own = format!("KEYGATE_{}", setting.name.replace('.', "_").to_uppercase());
            assert_eq!(variables.contains(&own), !setting.is_of_list(), "{own}");
            for variable in variables {
                assert!(seen.insert(variable.clone()), "{variable}");
            }
        }
        assert!(seen.contains("KEYGATE_KEYS_MAX_ACTIVE") && seen.contains("KEYGATE_PUBLIC_URL"));
    }

    /// What is refused says where it was given, and how it is written there.
    #[test]
    fn bad_value_in_a_variable_names_the_variable_and_an_example() {
        for setting in SETTINGS
            .iter()
            .filter(|setting| setting.kind == Kind::Integer)
        {
            let why = read_from_variable(setting, "0").err().expect(setting.name);
            let variable = &setting.variables()[0];
            let example = format!("Write it like {variable}={}.", setting.example);
            assert!(
                why.contains(&format!("{} ({variable})", setting.name)),
                "{why}"
            );
            assert!(why.ends_with(&example), "{why}");
        }
    }
}
