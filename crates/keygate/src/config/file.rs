//! The configuration file.

use std::{ops::Range, path::Path};

use toml::de::{DeInteger, DeTable, DeValue};

use super::setting::{Given, Kind, Place, Setting, did_you_mean};
use crate::failure::Failure;

/// Reads a file; a setting that does not exist is an error that names the nearest one.
pub(super) fn read(path: &Path, settings: &[&'static Setting]) -> Result<Vec<Given>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!(
            "The configuration file {} cannot be read ({error}). Check the path given with --config.",
            path.display()
        ))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&text, folder, settings).map_err(|why| Failure::new(format!("{}: {why}", path.display())))
}

/// What a file in `folder` gives. Each of several tables begins with one that has the table's name and no text.
pub(super) fn parse(
    text: &str,
    folder: &Path,
    settings: &[&'static Setting],
) -> Result<Vec<Given>, String> {
    let tables = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        not_understood(text, span, &error.message().replace('\n', ", "))
    })?;
    let mut all = Vec::new();
    for (table, value) in tables.get_ref() {
        let table = table.get_ref();
        let mut known = settings
            .iter()
            .map(|setting| (setting.table_and_name().0, setting));
        let known = known.find(|(name, _)| name == table);
        let (table, of_table) = known.ok_or_else(|| unknown(table, settings))?;
        let rows = rows(value.get_ref(), of_table.is_of_list()).ok_or_else(|| {
            let why = format!("{table} is a table that begins with {}", of_table.heading);
            not_understood(text, value.span(), &why)
        })?;
        for (row, values) in rows {
            let given = |setting, texts| Given {
                setting,
                row,
                place: Place::File,
                texts,
            };
            all.push(given(table, Vec::new()));
            for (name, value) in values {
                let name = format!("{table}.{}", name.get_ref());
                let mut known = settings.iter();
                let setting = known.find(|setting| setting.name == name);
                let setting = setting.ok_or_else(|| unknown(&name, settings))?;
                let texts = texts(setting.kind, value.get_ref(), folder).ok_or_else(|| {
                    not_understood(text, value.span(), &wrong_type(setting, value.get_ref()))
                })?;
                all.push(given(setting.name, texts));
            }
        }
    }
    Ok(all)
}

/// The tables in a value, with their places where there may be several.
fn rows<'a, 'i>(
    value: &'a DeValue<'i>,
    is_list: bool,
) -> Option<Vec<(Option<usize>, &'a DeTable<'i>)>> {
    match value {
        DeValue::Table(table) if !is_list => Some(vec![(None, table)]),
        DeValue::Array(tables) if is_list => {
            let rows = tables.iter().enumerate();
            rows.map(|(row, table)| Some((Some(row), table.get_ref().as_table()?)))
                .collect()
        }
        _ => None,
    }
}

fn unknown(name: &str, settings: &[&'static Setting]) -> String {
    let known: Vec<&str> = settings.iter().map(|setting| setting.name).collect();
    let advice = did_you_mean(name, &known);
    format!("There is no setting \"{name}\". {advice}")
}

fn wrong_type(setting: &Setting, value: &DeValue<'_>) -> String {
    let found = match value {
        // What stands where none is expected may be a database with a password.
        DeValue::String(text) if !text.contains("://") => format!("string {text:?}"),
        value => value.type_str().to_owned(),
    };
    let expected = match setting.kind {
        Kind::Text | Kind::File | Kind::SecretFile => "a string",
        Kind::Boolean => "true or false",
        Kind::Integer => "a whole number",
        Kind::Number => "a number",
        Kind::Texts => "a list of strings",
        Kind::OneOrMore => "a string or a list of strings",
    };
    let example = setting.line(setting.example);
    format!("invalid type: {found}, expected {expected}, like {example}")
}

/// The text or texts of a value, if it is of this kind.
fn texts(kind: Kind, value: &DeValue<'_>, folder: &Path) -> Option<Vec<String>> {
    let text = match (kind, value) {
        (Kind::Text | Kind::OneOrMore, DeValue::String(text)) => text.to_string(),
        (Kind::File | Kind::SecretFile, DeValue::String(path)) => {
            folder.join(&**path).display().to_string()
        }
        (Kind::Boolean, DeValue::Boolean(value)) => value.to_string(),
        (Kind::Integer | Kind::Number, DeValue::Integer(integer)) => decimal(integer),
        (Kind::Number, DeValue::Float(float)) => float.to_string(),
        (Kind::Texts | Kind::OneOrMore, DeValue::Array(texts)) => {
            let texts = texts.iter();
            return texts
                .map(|text| text.get_ref().as_str().map(str::to_owned))
                .collect();
        }
        _ => return None,
    };
    Some(vec![text])
}

/// It may be written in another base. One that is too long says so by its rule.
fn decimal(integer: &DeInteger<'_>) -> String {
    i64::from_str_radix(integer.as_str(), integer.radix())
        .map_or_else(|_| integer.to_string(), |integer| integer.to_string())
}

fn not_understood(text: &str, span: Range<usize>, why: &str) -> String {
    let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
    format!("Line {line} is not valid: {why}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SETTINGS;

    fn parse(text: &str) -> Result<Vec<Given>, String> {
        super::parse(text, Path::new(""), &SETTINGS)
    }

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
            assert_eq!(parse(text).err().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_wrong_type_names_its_line_and_an_example() {
        for (text, expected) in [
            (
                "[keys]\n\nmax_active = \"ten\"\n",
                "Line 3 is not valid: invalid type: string \"ten\", expected a whole number, like max_active = 10.",
            ),
            (
                "[keys]\nmax_active = 1.5\n",
                "Line 2 is not valid: invalid type: float, expected a whole number, like max_active = 10.",
            ),
            (
                "[server]\ntrusted_proxies = \"10.0.0.0/8\"",
                "Line 2 is not valid: invalid type: string \"10.0.0.0/8\", expected a list of strings, like trusted_proxies = [\"10.0.0.0/8\"].",
            ),
            (
                "[upstream]\nurl = \"http://a\"",
                "Line 1 is not valid: upstream is a table that begins with [[upstream]].",
            ),
            (
                "upstream = [1]",
                "Line 1 is not valid: upstream is a table that begins with [[upstream]].",
            ),
            (
                "[[server]]\nlisten = \"a\"",
                "Line 1 is not valid: server is a table that begins with [server].",
            ),
        ] {
            assert_eq!(parse(text).err().as_deref(), Some(expected), "{text}");
        }
        parse("[keys").expect_err("no TOML");
    }

    #[test]
    fn password_in_the_wrong_place_is_not_repeated() {
        for text in [
            "[keys]\nmax_active = \"postgres://user:secret@host/db\"",
            "storage = \"postgres://user:secret@host/db\"",
        ] {
            let why = parse(text).expect_err(text);
            assert!(why.starts_with("Line ") && !why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn numbers_may_be_written_in_any_base() {
        let given = parse("[keys]\nmax_active = 0x1f\nmax_total = 1_000").expect("valid");
        let texts: Vec<_> = given.into_iter().flat_map(|given| given.texts).collect();
        assert_eq!(texts, ["31", "1000"]);
    }
}
