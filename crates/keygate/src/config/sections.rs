//! Every setting, said once: its help, example, default and flag stand on its field, and its type says what it
//! must be. The file, the variables, the flags and the reference come from here.

use std::{net::SocketAddr, num::NonZeroU32, sync::LazyLock, time::Duration};

use http::Method;
use ipnet::IpNet;
use keygate_control::Signup;
use keygate_core::{Scope, key::KeyFormat};
use keygate_gateway::Pattern;
use keygate_traces::Believed;

use super::{
    public_url::PublicUrl,
    setting::Setting,
    source::{Section, Source},
    types::{
        AddressOrOff, Collector, Delay, Limited, OnStorageLoss, PoolSize, Ratio, SecretFile,
        StatusInterval,
    },
    value::{Chosen, Field},
};
use crate::failure::Failure;

settings! {
    [server] Server {
        /// The address and port to listen on.
        #[setting(example = "0.0.0.0:8080", default = "127.0.0.1:8080", flag = "--listen ADDRESS")]
        listen: SocketAddr,

        /// The address in the browser: scheme, host and port. Needed where that is not an address or `localhost`:
        /// forms sent by another name are refused. With `https` the session cookie is `Secure` and bound to the host.
        #[setting(example = "https://keys.example.com", unset = "the address listened on", flag = "--public-url URL")]
        public_url: Option<PublicUrl>,

        /// How long to go on taking requests after SIGTERM, while `/readyz` says 503: so long a load balancer needs to
        /// notice.
        #[setting(example = "5s", default = "0s")]
        drain_delay: Delay,

        /// How long a client may leave a connection unused before it is closed. Behind a balancer, longer than the
        /// balancer keeps its own: 60 seconds to 10 minutes with most.
        #[setting(example = "650s", default = "75s")]
        keep_alive: Duration,

        /// Addresses or networks of proxies in front of keygate. Their `X-Forwarded-For` is believed, and they may ask
        /// at `/verify` and over `ext_authz` about the requests that they got.
        #[setting(example = "10.0.0.0/8", unset = "none")]
        trusted_proxies: Vec<IpNet>,
    }

    [ext_authz] ExtAuthz {
        /// The address and port on which Envoy's `ext_authz` (gRPC, v3) is answered.
        #[setting(example = "127.0.0.1:9191", unset = "none")]
        listen: Option<SocketAddr>,
    }

    [metrics] Metrics {
        /// The address and port on which `/metrics` is answered, to whoever asks; or `off`.
        /// Where it is left out and the port is taken, keygate goes on without.
        #[setting(example = "127.0.0.1:9464", default = "127.0.0.1:9464", flag = "--metrics-listen ADDRESS")]
        listen: Chosen<AddressOrOff>,
    }

    [keys] Keys {
        /// What every key begins with: a lower-case letter, 1 to 14 lower-case letters or digits, and an underscore.
        /// Keys with another prefix stop working.
        #[setting(example = "acme_", default = "ask_")]
        prefix: Chosen<KeyFormat>,

        /// How many active keys an account may have.
        #[setting(example = "10", default = "10")]
        max_active: Chosen<NonZeroU32>,

        /// How many keys an account may have, those that are switched off or have expired included. Deleted ones do
        /// not count.
        #[setting(example = "1000", default = "1000")]
        max_total: Chosen<NonZeroU32>,

        /// A file with a secret of at least 32 bytes under which keys are hashed (HMAC-SHA-256). It can be set only
        /// while there are no keys, and without it no key can be checked: keep it safe.
        #[setting(example = "/etc/keygate/pepper", unset = "none")]
        pepper_file: Option<SecretFile>,
    }

    [accounts] Accounts {
        /// Who may make an account: `closed` (the operator), `invite` (whoever has an invitation, which the operator
        /// or an admin makes) or `open` (anybody). The first account is made with the set-up link or by the operator
        /// in any case.
        #[setting(example = "open", default = "invite")]
        signup: Signup,

        /// How many changes an account may make in a minute, on each node; five thirds of that at once. Refused ones
        /// do not count, nor do admins'.
        #[setting(example = "120", default = "120")]
        changes_per_minute: NonZeroU32,

        /// How long a session lives without being used.
        #[setting(example = "12h", default = "7d")]
        session_idle: Duration,

        /// How long a session lives at most.
        #[setting(example = "30d", default = "30d")]
        session_absolute: Duration,
    }

    [audit] Audit {
        /// After how many days an entry of the record is forgotten.
        #[setting(example = "1095", unset = "for ever")]
        keep_days: Option<NonZeroU32>,
    }

    [[upstream]] Upstream {
        /// Which requests go to this upstream: this path and all below it. The longest path wins.
        #[setting(example = "/v1/audio", default = "/v1")]
        path: String,

        /// The upstream's address, with or without `/v1` at its end; the flag gives that of the upstream for `/v1`.
        /// Another path in it goes before the request's own.
        #[setting(example = "http://127.0.0.1:11434", flag = "--upstream URL")]
        url: String,

        /// A file with the upstream's own key, sent to it as `Authorization: Bearer` in place of the client's.
        #[setting(example = "/etc/keygate/openai-key", unset = "none")]
        credential_file: Option<SecretFile>,

        /// How long connecting to the upstream may take, from its name to TLS, before the client gets a 502.
        #[setting(example = "5s", default = "5s")]
        connect_timeout: Duration,

        /// How long the upstream may take nothing of a request that is sent to it before the client gets a 504.
        #[setting(example = "30s", default = "30s")]
        write_timeout: Duration,

        /// How long the upstream may take to send the whole head of its answer, from the last piece of the request,
        /// before the client gets a 504. Interim answers (1xx) do not count as one. A client that sends nothing of
        /// its body for so long, or for 30 seconds, gets a 408.
        #[setting(example = "2m", default = "10m")]
        response_timeout: Duration,

        /// How long a connection to the upstream is kept that is not used. It should be less than what the upstream
        /// has, which is 5 seconds with many servers; where that says `Keep-Alive: timeout`, it is heeded.
        #[setting(example = "4s", default = "4s")]
        idle_timeout: Duration,

        /// How long a connection to the upstream is used at all, so that one whose address moved is found where it is
        /// now.
        #[setting(example = "1m", default = "1m")]
        max_connection_age: Duration,

        /// What the upstream is called on the status page, which anybody may see.
        #[setting(example = "Speech", unset = "API, with its path if that is not `/v1`")]
        name: Option<String>,

        /// What is asked for to see whether the upstream works, with its credential: any status below 500 says so.
        /// `off`: it is not asked, and not on the status page.
        #[setting(example = "/health", unset = "/v1/models, or its path")]
        status_path: Option<String>,
    }

    [[route]] Route {
        /// The methods that this route covers.
        #[setting(example = "DELETE", unset = "all")]
        methods: Vec<Method>,

        /// The path that this route covers; with `/**` at its end, also all below it. Paths outside `/v1` matter to
        /// proxies that ask at `/verify` or over `ext_authz`.
        #[setting(example = "/v1/models/**")]
        path: Pattern,

        /// The scope that a key needs there: `chat`, `read`, `write` or `admin`. The first route that covers a request
        /// decides; the contract's own come last.
        #[setting(example = "admin")]
        scope: Scope,
    }

    [storage] Storage {
        /// The SQLite database, from the data folder if it is no absolute path; or a PostgreSQL that several nodes
        /// share, `postgres://user:password@host:5432/keygate?sslmode=verify-full`. What follows is for PostgreSQL.
        #[setting(example = "keygate.db", default = "keygate.db", flag = "--database DATABASE")]
        database: Chosen<String>,

        /// How many connections a node makes at most, besides two that read changes. Half of them may make changes,
        /// and a fifth is kept for keys that are looked up.
        #[setting(example = "10", default = "10")]
        pool_size: PoolSize,

        /// How long the database may take for what it is asked.
        #[setting(example = "2s", default = "2s")]
        statement_timeout: Limited<1>,

        /// How long a change may wait for another.
        #[setting(example = "1s", default = "1s")]
        lock_timeout: Limited<1>,

        /// How long a node may go by its memory without having heard that nothing has changed: the longest that a key
        /// lives on another node once its revocation is acknowledged.
        #[setting(example = "1s", default = "1s")]
        lease: Limited<100>,

        /// What to do with keys in memory when the lease is over and the database is away: `refuse` them with a 503,
        /// or `serve-cached`: let them in, though they may be revoked.
        #[setting(example = "serve-cached", default = "refuse")]
        on_storage_loss: OnStorageLoss,

        /// How long `serve-cached` may go on.
        #[setting(example = "10m", default = "10m")]
        max_stale: Duration,
    }

    [status] Status {
        /// How often keygate looks whether itself, its database and its upstreams work, for the status page: each
        /// 100ms to 1h, or `off`.
        #[setting(example = "30s", default = "30s", flag = "--status-interval TIME")]
        interval: StatusInterval,

        /// How long an answer to that may take; at most `status.interval`.
        #[setting(example = "5s", default = "5s")]
        timeout: Chosen<Duration>,
    }

    [traces] Traces {
        /// Where OpenTelemetry traces are sent: a collector that takes OTLP over gRPC.
        #[setting(example = "http://127.0.0.1:4317", unset = "none")]
        otlp_endpoint: Option<Collector>,

        /// Which part of the traces that begin here is kept, from 0 to 1. Of others, those that their caller keeps.
        #[setting(example = "0.1", default = "1.0")]
        sample_ratio: Ratio,

        /// Whose `traceparent` says which trace a request belongs to, and that it is kept: that of
        /// `server.trusted_proxies`, or anybody's, who may then fill the collector.
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
