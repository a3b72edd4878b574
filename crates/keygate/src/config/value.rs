//! How what is given for a setting becomes its value.

use std::{borrow::Cow, fmt::Display};

use super::setting::{Given, Kind, Place, Setting};
use crate::failure::Failure;

/// What a value must be. It follows "The setting keys.prefix is "sk-", but".
pub(super) type Rule = Cow<'static, str>;

/// A type of which a setting is.
pub(super) trait Value: Sized {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, Rule>;
}

/// A type of which a field of a section is: a value, one that may be left out, or a list.
pub(super) trait Field: Sized {
    const KIND: Kind;

    /// Its value by what is given, or where nothing is.
    fn read(setting: &Setting, given: Option<&Given>) -> Result<Self, Failure>;
}

/// A value of which it matters whether somebody chose it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen<T> {
    pub(crate) value: T,
    pub(crate) is_default: bool,
}

/// A value that is needed, and of which there may be several.
pub(crate) struct OneOrMore<T>(pub(crate) Vec<T>);

impl Given {
    fn parse<T: Value>(&self, setting: &Setting, text: &str) -> Result<T, Failure> {
        T::parse(text).map_err(|rule| {
            let failure = invalid(&self.name(setting), text, rule);
            let example = match (&self.place, setting.flag_name()) {
                (Place::Variable(variable), _) => format!("{variable}={}", setting.example),
                (Place::Flag, Some(flag)) => format!("{flag} {}", setting.example),
                _ => setting.line(setting.example),
            };
            Failure::new(format!("{failure} Write it like {example}."))
        })
    }

    /// The setting, with its flag and the variable that gives it, like `server.listen (--listen)`.
    fn name(&self, setting: &Setting) -> String {
        let mut ways: Vec<&str> = setting.flag_name().into_iter().collect();
        if let Place::Variable(variable) = &self.place {
            ways.push(variable);
        }
        if ways.is_empty() {
            return setting.name.to_owned();
        }
        format!("{} ({})", setting.name, ways.join(", "))
    }
}

impl<T: Value> Field for T {
    const KIND: Kind = T::KIND;

    fn read(setting: &Setting, given: Option<&Given>) -> Result<Self, Failure> {
        match (given, setting.default) {
            (Some(given), _) => given.parse(setting, &given.texts.concat()),
            (None, Some(default)) => Ok(T::parse(default).expect("a default is valid")),
            (None, None) => Err(setting.missing()),
        }
    }
}

impl<T: Value> Field for Option<T> {
    const KIND: Kind = T::KIND;

    fn read(setting: &Setting, given: Option<&Given>) -> Result<Self, Failure> {
        let value = given.map(|given| given.parse(setting, &given.texts.concat()));
        value.transpose()
    }
}

impl<T: Value> Field for Vec<T> {
    const KIND: Kind = Kind::Texts;

    fn read(setting: &Setting, given: Option<&Given>) -> Result<Self, Failure> {
        let Some(given) = given else {
            return Ok(Self::new());
        };
        let texts = given.texts.iter().flat_map(|text| match given.place {
            Place::File => vec![&**text],
            Place::Flag | Place::Variable(_) => text.split(',').map(str::trim).collect(),
        });
        texts.map(|text| given.parse(setting, text)).collect()
    }
}

impl<T: Value> Field for OneOrMore<T> {
    const KIND: Kind = Kind::OneOrMore;

    fn read(setting: &Setting, given: Option<&Given>) -> Result<Self, Failure> {
        let values = Vec::read(setting, given)?;
        if values.is_empty() {
            return Err(setting.missing());
        }
        Ok(Self(values))
    }
}

impl<T: Value> Field for Chosen<T> {
    const KIND: Kind = T::KIND;

    fn read(setting: &Setting, given: Option<&Given>) -> Result<Self, Failure> {
        Ok(Self {
            value: T::read(setting, given)?,
            is_default: given.is_none(),
        })
    }
}

/// A setting breaks a rule.
pub(super) fn invalid(setting: &str, value: impl Display, rule: impl Display) -> Failure {
    Failure::new(format!("The setting {setting} is \"{value}\", but {rule}."))
}
