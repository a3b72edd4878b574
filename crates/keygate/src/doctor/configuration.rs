//! The configuration file and the files with secrets that it names.

use std::path::Path;

use super::{
    Finding,
    permissions::{Openness, mode, openness},
};
use crate::config::{Flags, Kind, Place, SETTINGS, Settings};

const CHECK: &str = "configuration";
const SECRET: &str = "secret";

/// What there is to say, and the settings where they are valid.
pub(super) fn check(flags: &Flags) -> (Vec<Finding>, Option<Settings>) {
    let settings = Settings::load(flags);
    let mut found = vec![match (&settings, &flags.config) {
        (Ok(_), Some(path)) => Finding::ok(CHECK, format!("{} is valid.", path.display())),
        (Ok(_), None) => Finding::ok(CHECK, "There is no configuration file; the defaults apply."),
        (Err(failure), _) => {
            let mut found = Finding::failure(CHECK, failure);
            let first = found.advice.take().map_or(String::new(), |text| text + " ");
            found.advice = Some(format!(
                "{first}Then run this again: the database, the upstreams, the ports and the clock could not be checked."
            ));
            found
        }
    }];
    found.extend(secrets(flags));
    (found, settings.ok())
}

/// Says of each file with a secret whether others can read it.
fn secrets(flags: &Flags) -> Vec<Finding> {
    let mut found = Vec::new();
    for given in flags.with_file().unwrap_or_default() {
        let mut settings = SETTINGS.iter();
        let setting = settings.find(|setting| setting.name == given.setting);
        if setting.is_some_and(|setting| setting.kind == Kind::SecretFile) {
            found.extend(secret(given.setting, Path::new(&given.texts.concat())));
        }
        // A password can stand in the configuration itself.
        let is_written = given.setting == "storage.database" && given.place == Place::File;
        if is_written && given.texts.concat().contains("://") {
            let config = flags.config.as_deref();
            found.extend(config.and_then(|path| secret(given.setting, path)));
        }
    }
    found
}

/// A file that cannot be read is no longer a valid configuration, which is said there.
fn secret(setting: &str, path: &Path) -> Option<Finding> {
    let metadata = path.metadata().ok()?;
    let path = path.display();
    if openness(&metadata) == Openness::Everybody {
        return Some(Finding::wrong(
            SECRET,
            format!(
                "Every user of this machine can access {path} of {setting} (mode {}).",
                mode(&metadata)
            ),
            format!(
                "Restrict it to the user that runs keygate: chmod 600 {path}. If others may have read it, change the secret."
            ),
        ));
    }
    Some(Finding::ok(
        SECRET,
        format!("{path} of {setting} is not open to other users."),
    ))
}
