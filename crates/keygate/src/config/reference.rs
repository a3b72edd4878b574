//! The reference of all settings.

use super::sections::SETTINGS;

const INTRODUCTION: &str = "\
# Configuration

keygate needs no configuration. Settings can be given in a TOML file (`--config` or `KEYGATE_CONFIG`), in environment
variables and as flags. A flag overrides a variable, and a variable overrides the file. `keygate config check` checks
them. Times are written like `30s`, `10m`, `12h` or `7d`. Paths in the file are relative to the folder of the file.

The variable of a setting is `KEYGATE_`, its table and its name: `KEYGATE_KEYS_MAX_ACTIVE`. A setting with a flag also has
a variable with the flag's name, which takes precedence: `KEYGATE_LISTEN` before `KEYGATE_SERVER_LISTEN`. In variables, lists
are separated by commas, paths are relative to the working folder, and an empty variable counts as not set. There can be
several `[[upstream]]` and `[[route]]`, so their settings are in the file only, except `--upstream` and `KEYGATE_UPSTREAM`.

This page is made from the code: `cargo xtask docs configuration`.
";

/// A flag that is no setting.
pub(crate) struct OtherFlag {
    /// Like `--data`.
    pub(crate) name: String,
    pub(crate) variable: String,
    pub(crate) help: String,
}

/// The reference page.
pub(crate) fn reference_page(others: impl Iterator<Item = OtherFlag>) -> String {
    let settings = SETTINGS.iter().map(|setting| {
        let flag = setting.flag_name().map(str::to_owned);
        let ways: Vec<_> = flag
            .into_iter()
            .chain(setting.variables().into_iter().take(1))
            .map(|way| format!("`{way}`"))
            .collect();
        let default = setting.default.or(setting.unset).unwrap_or("required");
        let (name, ways, help) = (setting.name, ways.join(", "), setting.help);
        format!("| `{name}` | {ways} | {default} | {help} |\n")
    });
    let others = others.map(|flag| {
        let OtherFlag {
            name,
            variable,
            help,
        } = flag;
        format!("| `{name}` | `{variable}` | {help} |\n")
    });
    [
        INTRODUCTION,
        "\n| setting | flag, variable | default | what it does |\n|---|---|---|---|\n",
        &settings.collect::<String>(),
        "\n## Example\n\n```toml\n",
        &example(),
        "```\n\n## Other flags\n\n| flag | variable | what it does |\n|---|---|---|\n",
        &others.collect::<String>(),
    ]
    .concat()
}

/// Every setting with its example, under the headings of their tables.
fn example() -> String {
    let mut text = String::new();
    let mut heading = "";
    for setting in SETTINGS.iter() {
        if setting.heading != heading {
            let gap = if heading.is_empty() { "" } else { "\n" };
            heading = setting.heading;
            text.push_str(&format!("{gap}{heading}\n"));
        }
        text.push_str(&(setting.line(setting.example) + "\n"));
    }
    text
}
