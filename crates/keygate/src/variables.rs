//! Variables: the settings that they give, those that are empty, and those that mean nothing.

use std::{ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use crate::{
    config::{Given, Place, SETTINGS, did_you_mean},
    failure::Failure,
};

/// How the names of those begin that the program or a library in it reads.
const READ: [&str; 7] = [
    "KEYGATE_",
    "PG",
    "OTEL_",
    "NO_COLOR",
    "SSL_CERT_",
    "TMPDIR",
    "HOME",
];

/// Begins the program again without them, if there are any: an empty variable means that it is not set, and
/// every library that reads one has a view of its own on that.
pub(crate) fn drop_empty() -> io::Result<()> {
    let empty: Vec<OsString> = std::env::vars_os()
        .filter(|(name, value)| value.is_empty() && is_read(name))
        .map(|(name, _)| name)
        .collect();
    if empty.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut program = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        program.arg0(name);
    }
    program.args(arguments);
    for name in empty {
        program.env_remove(name);
    }
    Err(program.exec())
}

fn is_read(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    READ.iter().any(|beginning| name.starts_with(beginning))
}

/// The settings that variables give; of two for one setting the first counts. `others` are the variables that
/// are no settings.
pub(crate) fn settings(others: &[String]) -> Result<Vec<Given>, Failure> {
    let of_settings: Vec<(&'static str, String)> = SETTINGS
        .iter()
        .flat_map(|setting| {
            setting
                .variables()
                .into_iter()
                .map(|name| (setting.name, name))
        })
        .collect();
    let known: Vec<&str> = others
        .iter()
        .chain(of_settings.iter().map(|(_, name)| name))
        .map(String::as_str)
        .collect();
    refuse_unknown(&known)?;
    let given = of_settings.into_iter().filter_map(|(setting, variable)| {
        let text = std::env::var_os(&variable)?.into_string();
        Some(match text {
            Ok(text) => Ok(Given::once(setting, Place::Variable(variable), text)),
            Err(_) => Err(Failure::new(format!(
                "The variable {variable} of the setting {setting} is not valid UTF-8."
            ))),
        })
    });
    given.collect()
}

/// A misspelt variable would otherwise be overlooked.
fn refuse_unknown(known: &[&str]) -> Result<(), Failure> {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if !name.starts_with("KEYGATE_") || known.contains(&&*name) || is_kubernetes(&name) {
            continue;
        }
        let advice = did_you_mean(&name, known);
        return Err(Failure::new(format!(
            "There is no variable {name}. {advice}"
        )));
    }
    Ok(())
}

/// Kubernetes tells every container by such names of each service in its namespace, one that is called keygate,
/// or keygate-metrics, among them.
fn is_kubernetes(name: &str) -> bool {
    let is_port = |rest: &str| {
        let mut words = rest.split('_');
        words.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && matches!(words.next(), Some("TCP" | "UDP" | "SCTP"))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT")
        || name
            .split_once("_PORT_")
            .is_some_and(|(_, rest)| is_port(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kubernetes would otherwise set it for a service of that name.
    #[test]
    fn no_setting_has_a_variable_as_kubernetes_makes_them() {
        for setting in SETTINGS.iter() {
            for variable in setting.variables() {
                assert!(!is_kubernetes(&variable), "{variable}");
            }
        }
    }
}
