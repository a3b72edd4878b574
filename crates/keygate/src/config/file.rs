use std::path::Path;

use serde::Deserialize;

use super::reference::{SETTINGS, did_you_mean};
use crate::failure::Failure;

/// The configuration file, as it is written. What is left out is `None`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct File {
    pub(crate) keys: Keys,
    pub(crate) accounts: Accounts,
    pub(crate) server: Server,
    pub(crate) ext_authz: ExtAuthz,
    pub(crate) metrics: Metrics,
    pub(crate) upstream: Vec<Upstream>,
    pub(crate) route: Vec<Route>,
    pub(crate) storage: Storage,
    pub(crate) traces: Traces,
    pub(crate) status: Status,
    pub(crate) audit: Audit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Audit {
    pub(crate) keep_days: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Keys {
    pub(crate) prefix: Option<String>,
    pub(crate) max_active: Option<u32>,
    pub(crate) max_total: Option<u32>,
    pub(crate) pepper_file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Accounts {
    pub(crate) signup: Option<String>,
    pub(crate) changes_per_minute: Option<u32>,
    pub(crate) session_idle: Option<String>,
    pub(crate) session_absolute: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    pub(crate) listen: Option<String>,
    pub(crate) public_url: Option<String>,
    pub(crate) drain_delay: Option<String>,
    pub(crate) keep_alive: Option<String>,
    pub(crate) trusted_proxies: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ExtAuthz {
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metrics {
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Upstream {
    pub(crate) path: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) credential_file: Option<String>,
    pub(crate) connect_timeout: Option<String>,
    pub(crate) write_timeout: Option<String>,
    pub(crate) response_timeout: Option<String>,
    pub(crate) idle_timeout: Option<String>,
    pub(crate) max_connection_age: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) status_path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Route {
    pub(crate) methods: Vec<String>,
    pub(crate) path: Option<String>,
    pub(crate) scope: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Storage {
    pub(crate) database: Option<String>,
    pub(crate) pool_size: Option<u32>,
    pub(crate) statement_timeout: Option<String>,
    pub(crate) lock_timeout: Option<String>,
    pub(crate) lease: Option<String>,
    pub(crate) on_storage_loss: Option<String>,
    pub(crate) max_stale: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Traces {
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) sample_ratio: Option<f64>,
    pub(crate) believe: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) interval: Option<String>,
    pub(crate) timeout: Option<String>,
}

impl File {
    /// Reads a file; a setting that does not exist is an error that names the nearest one.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::new(format!(
                "The configuration file {} cannot be read ({error}). Check the path given with --config.",
                path.display()
            ))
        })?;
        Self::parse(&text).map_err(|why| Failure::new(format!("{}: {why}", path.display())))
    }

    /// The files with secrets that it names, each with its setting.
    pub(crate) fn secret_files(&self) -> Vec<(&'static str, &str)> {
        let pepper = self.keys.pepper_file.as_deref();
        let pepper = pepper.map(|path| ("keys.pepper_file", path));
        let credentials = self.upstream.iter().filter_map(|upstream| {
            let path = upstream.credential_file.as_deref()?;
            Some(("upstream.credential_file", path))
        });
        pepper.into_iter().chain(credentials).collect()
    }

    /// Whether a password can stand in it.
    pub(crate) fn names_a_server(&self) -> bool {
        let database = self.storage.database.as_deref();
        database.is_some_and(|database| database.contains("://"))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut unknown = Vec::new();
        let parsed = toml::Deserializer::parse(text).and_then(|document| {
            serde_ignored::deserialize(document, |path| unknown.push(path.to_string()))
        });
        let file = parsed.map_err(|error| one_line(&error, text))?;
        match unknown.first() {
            None => Ok(file),
            Some(setting) => Err(unknown_setting(setting)),
        }
    }
}

fn unknown_setting(path: &str) -> String {
    // serde counts the tables of an array: `upstream.0.uri`.
    let name: Vec<&str> = path
        .split('.')
        .filter(|part| part.parse::<usize>().is_err())
        .collect();
    let name = name.join(".");
    let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    let advice = did_you_mean(&name, &known);
    format!("There is no setting \"{name}\". {advice}")
}

fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', ", ");
    // It repeats a text that stands where none is expected, and that may be a database with a password.
    let message = if message.contains("://") {
        "an address stands where none is expected".to_owned()
    } else {
        message
    };
    match error.span() {
        Some(span) => {
            let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
            format!("Line {line} is not understood: {message}.")
        }
        None => format!("{message}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_names_the_nearest() {
        for (text, expected) in [
            (
                "[keys]\nprefx = \"a\"",
                "There is no setting \"keys.prefx\". Did you mean \"keys.prefix\"?",
            ),
            (
                "[key]\nprefix = \"a\"",
                "There is no setting \"key\". Did you mean \"keys.prefix\"?",
            ),
            (
                "[[upstream]]\nuri = \"a\"",
                "There is no setting \"upstream.uri\". Did you mean \"upstream.url\"?",
            ),
            (
                "listen = \"a\"",
                "There is no setting \"listen\". Did you mean \"server.listen\"?",
            ),
        ] {
            assert_eq!(File::parse(text).expect_err(text), expected);
        }
    }

    #[test]
    fn a_wrong_type_names_its_line() {
        let error = File::parse("[keys]\n\nmax_active = \"ten\"\n").expect_err("a string");
        assert!(error.starts_with("Line 3 is not understood: "), "{error}");
        assert!(!error.contains('\n'), "{error}");
        File::parse("[keys").expect_err("no TOML");
    }

    #[test]
    fn every_setting_of_the_reference_is_read() {
        for setting in SETTINGS {
            let (table, name) = setting.name.rsplit_once('.').expect("a table and a name");
            let header = if matches!(table, "upstream" | "route") {
                format!("[[{table}]]")
            } else {
                format!("[{table}]")
            };
            let text = format!("{header}\n{name} = {}\n", setting.example);
            File::parse(&text).expect(&text);
        }
    }
}
