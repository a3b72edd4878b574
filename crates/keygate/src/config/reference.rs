//! The reference of all settings.

use super::sections::SETTINGS;

const INTRODUCTION: &str = "\
# Configuration

keygate runs without any. Settings stand in a TOML file that is given with `--config` or `KEYGATE_CONFIG`, in
variables, or in flags: a flag comes before a variable, and a variable before the file. `keygate config check` says
whether they are valid. Times are written like `30s`, `10m`, `12h` or `7d`; files are taken from the folder of the
configuration file.

The variable of a setting is `KEYGATE_`, its table and its name: `KEYGATE_KEYS_MAX_ACTIVE`. One with a flag has the
flag's name as well, which comes first: `KEYGATE_LISTEN` before `KEYGATE_SERVER_LISTEN`. A list is separated by commas,
files are taken from the working folder, and a variable that is empty is not set. There may be several `[[upstream]]`
and `[[route]]`, so their settings stand in the file, but for `--upstream` and `KEYGATE_UPSTREAM`.

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
        "```\n\n## Flags that are no settings\n\n| flag | variable | what it does |\n|---|---|---|\n",
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
