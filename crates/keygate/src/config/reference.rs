/// A setting of the file, for people.
pub(crate) struct Setting {
    /// Table and name.
    pub(crate) name: &'static str,
    /// What holds where it is left out.
    pub(crate) default: &'static str,
    /// A value, as TOML.
    pub(crate) example: &'static str,
    /// What it does.
    pub(crate) help: &'static str,
}

/// Every setting there is.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "server.listen",
        default: "127.0.0.1:8080",
        example: "\"0.0.0.0:8080\"",
        help: "The address and port to listen on. Also `--listen` and `KEYGATE_LISTEN`.",
    },
    Setting {
        name: "server.public_url",
        default: "the address listened on",
        example: "\"https://keys.example.com\"",
        help: "The address in the browser: scheme, host and port. Needed where that is not an address or `localhost`: forms sent by another name are refused. With `https` the session cookie is `Secure` and bound to the host.",
    },
    Setting {
        name: "server.drain_delay",
        default: "0s",
        example: "\"5s\"",
        help: "How long to go on taking requests after SIGTERM, while `/readyz` says 503: so long a load balancer needs to notice.",
    },
    Setting {
        name: "server.keep_alive",
        default: "75s",
        example: "\"650s\"",
        help: "How long a client may leave a connection unused before it is closed. Behind a balancer, longer than the balancer keeps its own: 60 seconds to 10 minutes with most.",
    },
    Setting {
        name: "server.trusted_proxies",
        default: "none",
        example: "[\"10.0.0.0/8\"]",
        help: "Addresses or networks of proxies in front of keygate. Their `X-Forwarded-For` is believed, and they may ask at `/verify` and over `ext_authz` about the requests that they got.",
    },
    Setting {
        name: "ext_authz.listen",
        default: "none",
        example: "\"127.0.0.1:9191\"",
        help: "The address and port on which Envoy's `ext_authz` (gRPC, v3) is answered.",
    },
    Setting {
        name: "metrics.listen",
        default: "127.0.0.1:9464",
        example: "\"127.0.0.1:9464\"",
        help: "The address and port on which `/metrics` is answered, to whoever asks; or `off`, and nothing is counted. Where it is left out and the port is taken, keygate goes on without. Also `--metrics-listen` and `KEYGATE_METRICS_LISTEN`.",
    },
    Setting {
        name: "keys.prefix",
        default: "ask_",
        example: "\"acme_\"",
        help: "What every key begins with: a lower-case letter, 1 to 14 lower-case letters or digits, and an underscore. Keys with another prefix stop working.",
    },
    Setting {
        name: "keys.max_active",
        default: "10",
        example: "10",
        help: "How many active keys an account may have.",
    },
    Setting {
        name: "keys.max_total",
        default: "1000",
        example: "1000",
        help: "How many keys an account may have, those that are switched off or have expired included. Deleted ones do not count.",
    },
    Setting {
        name: "keys.pepper_file",
        default: "none",
        example: "\"/etc/keygate/pepper\"",
        help: "A file with a secret of at least 32 bytes under which keys are hashed (HMAC-SHA-256). It can be set only while there are no keys, and without it no key can be checked: keep it safe.",
    },
    Setting {
        name: "accounts.signup",
        default: "invite",
        example: "\"open\"",
        help: "Who may make an account: `closed` (the operator), `invite` (whoever has an invitation, which the operator or an admin makes) or `open` (anybody). The first account is made with the set-up link or by the operator in any case.",
    },
    Setting {
        name: "accounts.changes_per_minute",
        default: "120",
        example: "120",
        help: "How many changes an account may make in a minute, on each node; five thirds of that at once. Refused ones do not count, nor do admins'.",
    },
    Setting {
        name: "accounts.session_idle",
        default: "7d",
        example: "\"12h\"",
        help: "How long a session lives without being used.",
    },
    Setting {
        name: "accounts.session_absolute",
        default: "30d",
        example: "\"30d\"",
        help: "How long a session lives at most.",
    },
    Setting {
        name: "audit.keep_days",
        default: "for ever",
        example: "1095",
        help: "After how many days an entry of the record is forgotten.",
    },
    Setting {
        name: "upstream.path",
        default: "/v1",
        example: "\"/v1/audio\"",
        help: "Which requests go to this upstream: this path and all below it. The longest path wins.",
    },
    Setting {
        name: "upstream.url",
        default: "required",
        example: "\"http://127.0.0.1:11434\"",
        help: "The upstream's address, with or without `/v1` at its end. Another path in it goes before the request's own. Also `--upstream` and `KEYGATE_UPSTREAM`, for `/v1`.",
    },
    Setting {
        name: "upstream.credential_file",
        default: "none",
        example: "\"/etc/keygate/openai-key\"",
        help: "A file with the upstream's own key, sent to it as `Authorization: Bearer` in place of the client's.",
    },
    Setting {
        name: "upstream.connect_timeout",
        default: "5s",
        example: "\"5s\"",
        help: "How long connecting to the upstream may take, from its name to TLS, before the client gets a 502.",
    },
    Setting {
        name: "upstream.write_timeout",
        default: "30s",
        example: "\"30s\"",
        help: "How long the upstream may take nothing of a request that is sent to it before the client gets a 504.",
    },
    Setting {
        name: "upstream.response_timeout",
        default: "10m",
        example: "\"2m\"",
        help: "How long the upstream may take to send the whole head of its answer, from the last piece of the request, before the client gets a 504. Interim answers (1xx) do not count as one. A client that sends nothing of its body for so long, or for 30 seconds, gets a 408.",
    },
    Setting {
        name: "upstream.idle_timeout",
        default: "4s",
        example: "\"4s\"",
        help: "How long a connection to the upstream is kept that is not used. It should be less than what the upstream has, which is 5 seconds with many servers; where that says `Keep-Alive: timeout`, it is heeded.",
    },
    Setting {
        name: "upstream.max_connection_age",
        default: "1m",
        example: "\"1m\"",
        help: "How long a connection to the upstream is used at all, so that one whose address moved is found where it is now.",
    },
    Setting {
        name: "upstream.name",
        default: "API, with its path if that is not `/v1`",
        example: "\"Speech\"",
        help: "What the upstream is called on the status page, which anybody may see.",
    },
    Setting {
        name: "upstream.status_path",
        default: "/v1/models, or its path",
        example: "\"/health\"",
        help: "What is asked for to see whether the upstream works, with its credential: any status below 500 says so. `off`: it is not asked, and not on the status page.",
    },
    Setting {
        name: "route.methods",
        default: "all",
        example: "[\"DELETE\"]",
        help: "The methods that this route covers.",
    },
    Setting {
        name: "route.path",
        default: "required",
        example: "\"/v1/models/**\"",
        help: "The path that this route covers; with `/**` at its end, also all below it. Paths outside `/v1` matter to proxies that ask at `/verify` or over `ext_authz`.",
    },
    Setting {
        name: "route.scope",
        default: "required",
        example: "\"admin\"",
        help: "The scope that a key needs there: `chat`, `read`, `write` or `admin`. The first route that covers a request decides; the contract's own come last.",
    },
    Setting {
        name: "storage.database",
        default: "keygate.db",
        example: "\"keygate.db\"",
        help: "The SQLite database, from the data folder if it is no absolute path; or a PostgreSQL that several nodes share, `postgres://user:password@host:5432/keygate?sslmode=verify-full`. Also `--database` and `KEYGATE_DATABASE`. What follows is for PostgreSQL.",
    },
    Setting {
        name: "storage.pool_size",
        default: "10",
        example: "10",
        help: "How many connections a node makes at most, besides two that read changes. Half of them may make changes, and a fifth is kept for keys that are looked up.",
    },
    Setting {
        name: "storage.statement_timeout",
        default: "2s",
        example: "\"2s\"",
        help: "How long the database may take for what it is asked.",
    },
    Setting {
        name: "storage.lock_timeout",
        default: "1s",
        example: "\"1s\"",
        help: "How long a change may wait for another.",
    },
    Setting {
        name: "storage.lease",
        default: "1s",
        example: "\"1s\"",
        help: "How long a node may go by its memory without having heard that nothing has changed: the longest that a key lives on another node once its revocation is acknowledged.",
    },
    Setting {
        name: "storage.on_storage_loss",
        default: "refuse",
        example: "\"serve-cached\"",
        help: "What to do with keys in memory when the lease is over and the database is away: `refuse` them with a 503, or `serve-cached`: let them in, though they may be revoked.",
    },
    Setting {
        name: "storage.max_stale",
        default: "10m",
        example: "\"10m\"",
        help: "How long `serve-cached` may go on.",
    },
    Setting {
        name: "status.interval",
        default: "30s",
        example: "\"30s\"",
        help: "How often keygate looks whether itself, its database and its upstreams work, for the status page: each 100ms to 1h, or `off`. Also `--status-interval` and `KEYGATE_STATUS_INTERVAL`.",
    },
    Setting {
        name: "status.timeout",
        default: "5s",
        example: "\"5s\"",
        help: "How long an answer to that may take; at most `status.interval`.",
    },
    Setting {
        name: "traces.otlp_endpoint",
        default: "none",
        example: "\"http://127.0.0.1:4317\"",
        help: "Where OpenTelemetry traces are sent: a collector that takes OTLP over gRPC.",
    },
    Setting {
        name: "traces.sample_ratio",
        default: "1.0",
        example: "0.1",
        help: "Which part of the traces that begin here is kept, from 0 to 1. Of others, those that their caller keeps.",
    },
    Setting {
        name: "traces.believe",
        default: "trusted_proxies",
        example: "\"anybody\"",
        help: "Whose `traceparent` says which trace a request belongs to, and that it is kept: that of `server.trusted_proxies`, or anybody's, who may then fill the collector.",
    },
];

/// The flags, each with its variable and what it does.
const FLAGS: [(&str, &str, &str); 8] = [
    (
        "--data",
        "KEYGATE_DATA",
        "The data folder, by default `./keygate-data`.",
    ),
    ("--config", "KEYGATE_CONFIG", "The configuration file."),
    (
        "--database",
        "KEYGATE_DATABASE",
        "The database: a file, or `postgres://…`.",
    ),
    (
        "--listen",
        "KEYGATE_LISTEN",
        "The address and port to listen on.",
    ),
    (
        "--metrics-listen",
        "KEYGATE_METRICS_LISTEN",
        "The address and port on which `/metrics` is answered, or `off`.",
    ),
    ("--upstream", "KEYGATE_UPSTREAM", "The upstream for `/v1`."),
    (
        "--status-interval",
        "KEYGATE_STATUS_INTERVAL",
        "How often to look whether all works, or `off`.",
    ),
    (
        "--log",
        "KEYGATE_LOG",
        "How much to log: `error`, `warn`, `info`, `debug`, `trace`, or parts like `keygate_gateway=debug,info`.",
    ),
];

const INTRODUCTION: &str = "\
# Configuration

keygate runs without any. Settings stand in a TOML file that is given with `--config` or `KEYGATE_CONFIG`;
flags and variables come before it. `keygate config check` says whether a file is valid. Times are written
like `30s`, `10m`, `12h` or `7d`; files are taken from the folder of the configuration file.

This page is made from the code: `cargo xtask docs configuration`.
";

/// The reference page, from the tables above.
pub(crate) fn reference_page() -> String {
    let settings = SETTINGS.iter().map(|setting| {
        let Setting {
            name,
            default,
            help,
            ..
        } = setting;
        format!("| `{name}` | {default} | {help} |\n")
    });
    let flags =
        FLAGS.map(|(flag, variable, help)| format!("| `{flag}` | `{variable}` | {help} |\n"));
    [
        INTRODUCTION,
        "\n| setting | default | what it does |\n|---|---|---|\n",
        &settings.collect::<String>(),
        "\n## Example\n\n```toml\n",
        &example(),
        "```\n\n## Flags and variables\n\n| flag | variable | what it does |\n|---|---|---|\n",
        &flags.concat(),
    ]
    .concat()
}

/// Every setting with its example, under the headings of their tables.
fn example() -> String {
    let mut text = String::new();
    let mut table = "";
    for Setting { name, example, .. } in SETTINGS {
        let (own, name) = name.rsplit_once('.').unwrap_or(("", name));
        if own != table {
            let gap = if table.is_empty() { "" } else { "\n" };
            let heading = match own {
                "upstream" | "route" => format!("[[{own}]]"),
                _ => format!("[{own}]"),
            };
            text.push_str(&format!("{gap}{heading}\n"));
            table = own;
        }
        text.push_str(&format!("{name} = {example}\n"));
    }
    text
}

/// How alike two words must be, from 0 to 1, for one to be a misspelling of the other.
const ALIKE: f64 = 0.75;

/// Names the known word that is most like `word`, or all of them if none is.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    let likeness = |candidate: &str| {
        // "listen" is meant for "server.listen", however short it is.
        let own = candidate.rsplit('.').next().unwrap_or(candidate);
        strsim::jaro_winkler(word, candidate).max(strsim::jaro_winkler(word, own))
    };
    // Of several that are as near, the first.
    let ranked = known.iter().rev().map(|known| (likeness(known), known));
    match ranked.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((likeness, nearest)) if likeness >= ALIKE => format!("Did you mean \"{nearest}\"?"),
        _ => format!("There are {}.", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_is_up_to_date() {
        let written = include_str!("../../../../docs/configuration.md");
        assert!(
            written == reference_page(),
            "write it anew: cargo xtask docs configuration"
        );
    }
}
