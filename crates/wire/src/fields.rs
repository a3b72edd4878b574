//! A request as it comes, and how a type is read from it: each refusal names the field at fault, and
//! nothing is coerced.

use std::{collections::HashSet, fmt, slice};

use keygate_core::{Code, Problem};
use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor,
        value::SeqDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::Value;

/// The fields of a request, none of them twice once it is read. They may be secret, so it cannot be printed.
#[derive(Default)]
pub struct Fields(Vec<(String, Value)>);

/// A request without fields.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoRequest {}

impl Fields {
    /// The fields of a JSON object.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Problem> {
        let Object { fields, duplicate } = serde_json::from_slice(bytes).map_err(|_| {
            let message = "The body must be a JSON object in UTF-8.";
            Problem::new(Code::InvalidRequest, message)
        })?;
        match duplicate {
            None => Ok(Self(fields)),
            Some(name) => Err(duplicate_parameter(&name)),
        }
    }

    /// The same with one more field, where it has a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        let field = value.map(|value| (name.to_owned(), value.into()));
        self.0.extend(field);
        self
    }

    /// The request that they are. Fields are looked at in the order in which the type has them; one that is left
    /// out is `None` or refused, and one that is null is for its type to judge.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, Problem> {
        T::deserialize(Whole(self)).map_err(|fault| fault.of("body"))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let position = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(position).1)
    }
}

/// The value of one field.
pub fn read_field<T: DeserializeOwned>(
    name: &'static str,
    value: impl Into<Value>,
) -> Result<T, Problem> {
    let input = Input {
        value: Some(value.into()),
        options: 0,
    };
    T::deserialize(input).map_err(|fault| fault.of(name))
}

/// Reads a field that may be null, which is the same as if it were left out.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    reader: D,
) -> Result<Option<T>, D::Error> {
    Option::<Option<T>>::deserialize(reader).map(Option::flatten)
}

/// Reads an array of strings that may be left out.
pub(crate) fn strings<'de, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<Vec<String>>, D::Error> {
    let rule = |_| de::Error::custom("must be an array of strings");
    Option::deserialize(reader).map_err(rule)
}

/// Reads a text that may be left out by `parse`.
pub(crate) fn parsed<'de, D: Deserializer<'de>, T>(
    reader: D,
    parse: impl Fn(&str) -> Option<T>,
    rule: &str,
) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(reader)?;
    let value = text.map(|text| parse(&text).ok_or_else(|| de::Error::custom(rule)));
    value.transpose()
}

/// A field that is there twice.
fn duplicate_parameter(name: &str) -> Problem {
    let name = shortened(name);
    let message = format!("\"{name}\" is there twice.");
    Problem::new(Code::InvalidParameter, message).with_param(name)
}

/// A field that is none of those that there are.
fn unknown_parameter(name: &str, known: &[&str]) -> Problem {
    let name = shortened(name);
    let message = if known.is_empty() {
        format!("There is no \"{name}\" here, nor any other field.")
    } else {
        let known = known.join("\", \"");
        format!("There is no \"{name}\" here; there is \"{known}\".")
    };
    Problem::new(Code::UnknownParameter, message).with_param(name)
}

/// A name that the client chose: so much of it as tells which field is meant.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

/// Why a request cannot be read.
#[derive(Debug)]
enum Fault {
    /// The field is left out, and must not be.
    Missing,
    /// The field breaks this rule.
    Rule(String),
    /// It is said already which field is at fault.
    Problem(Problem),
}

impl Fault {
    fn of(self, name: &'static str) -> Problem {
        match self {
            Self::Missing => {
                let message = format!("\"{name}\" is required.");
                Problem::new(Code::MissingParameter, message).with_param(name)
            }
            Self::Rule(rule) => Problem::invalid_parameter(name, rule),
            Self::Problem(problem) => problem,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is required"),
            Self::Rule(rule) => f.write_str(rule),
            Self::Problem(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(rule: T) -> Self {
        Self::Rule(rule.to_string())
    }
}

/// All that is read.
struct Whole(Fields);

impl<'de> Deserializer<'de> for Whole {
    type Error = Fault;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Self(fields) = self;
        let mut seen = Vec::with_capacity(known.len());
        for (name, _) in &fields.0 {
            if !known.contains(&name.as_str()) {
                return Err(Fault::Problem(unknown_parameter(name, known)));
            }
            if seen.contains(&name) {
                return Err(Fault::Problem(duplicate_parameter(name)));
            }
            seen.push(name);
        }
        visitor.visit_map(InOrder {
            fields,
            names: known.iter(),
            name: "",
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_struct("", &[], visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields in the order of the type that is read.
struct InOrder {
    fields: Fields,
    names: slice::Iter<'static, &'static str>,
    name: &'static str,
}

impl<'de> MapAccess<'de> for InOrder {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some(&name) = self.names.next() else {
            return Ok(None);
        };
        self.name = name;
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let input = Input {
            value: self.fields.take(self.name),
            options: 0,
        };
        let read = seed.deserialize(input);
        read.map_err(|fault| Fault::Problem(fault.of(self.name)))
    }
}

/// What is read for a field, or a part of it.
struct Input {
    /// Nothing if it is left out.
    value: Option<Value>,
    /// In how many `Option`s the type stands: the first is for what is left out, the second for null.
    options: u8,
}

impl Input {
    fn value(self) -> Result<Value, Fault> {
        self.value.ok_or(Fault::Missing)
    }

    /// The value as `take` has it.
    fn must_be<T>(self, what: &str, take: fn(Value) -> Option<T>) -> Result<T, Fault> {
        let or_null = if self.options > 1 { " or null" } else { "" };
        let rule = || Fault::Rule(format!("must be {what}{or_null}"));
        take(self.value()?).ok_or_else(rule)
    }
}

impl<'de> Deserializer<'de> for Input {
    type Error = Fault;

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match (self.options, &self.value) {
            (0, None) | (1.., Some(Value::Null)) => visitor.visit_none(),
            (options, _) => visitor.visit_some(Self {
                options: options + 1,
                ..self
            }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let is_on = self.must_be("true or false", |value| value.as_bool())?;
        visitor.visit_bool(is_on)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.must_be("a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })?;
        visitor.visit_string(text)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let items = self.must_be("an array", |value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        })?;
        let items = items.into_iter().map(|item| Self {
            value: Some(item),
            options: 1,
        });
        visitor.visit_seq(SeqDeserializer::new(items))
    }

    /// For types that say what they want only later, or never.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Some(Value::Bool(_)) => self.deserialize_bool(visitor),
            Some(Value::String(_)) => self.deserialize_string(visitor),
            Some(Value::Array(_)) => self.deserialize_seq(visitor),
            None => Err(Fault::Missing),
            Some(_) => Err(Fault::Rule("is of another kind".to_owned())),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl IntoDeserializer<'_, Fault> for Input {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[derive(Default)]
struct Object {
    fields: Vec<(String, Value)>,
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut object = Object::default();
                let mut names = HashSet::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if names.insert(name.clone()) {
                        object.fields.push((name, value));
                    } else {
                        object.duplicate.get_or_insert(name);
                    }
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keygate_core::{Timestamp, thread_cpu_time};

    use super::*;

    /// What the processor needs to refuse a body that does not have the fields of a call.
    fn time_to_refuse(body: &str) -> Duration {
        let started = thread_cpu_time();
        let fields = Fields::from_json(body.as_bytes()).expect("an object without duplicates");
        assert!(fields.read::<Sample>().is_err());
        thread_cpu_time().saturating_sub(started)
    }

    #[test]
    fn many_fields_take_no_longer_than_their_length() {
        let fields: Vec<String> = (0..16_000)
            .map(|number| format!("\"{number:x}\":0"))
            .collect();
        let many = format!("{{{}}}", fields.join(","));
        let few = format!("{{{}}}", fields[..1_600].join(","));
        let fastest = |body| (0..5).map(|_| time_to_refuse(body)).min().expect("five");
        let (many, few) = (fastest(&many), fastest(&few));
        // Ten times as many, and twice that for tables that outgrow a cache; by pairs it would be a hundred.
        assert!(many < few * 25, "{many:?} and {few:?}");
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        is_on: Option<bool>,
        #[serde(deserialize_with = "strings")]
        parts: Option<Vec<String>>,
        #[serde(deserialize_with = "nullable")]
        ends_at: Option<Timestamp>,
    }

    fn read(body: &str) -> Result<Sample, String> {
        let fields = Fields::from_json(body.as_bytes()).expect("an object without duplicates");
        fields.read().map_err(|problem| {
            let param = problem.param.as_deref().unwrap_or_default();
            format!("{} {param}: {}", problem.code.as_str(), problem.message)
        })
    }

    #[test]
    fn what_is_left_out_and_what_is_null_are_told_apart() {
        let whole = read(r#"{"parts":["a"],"name":"n","ends_at":null,"is_on":true}"#);
        let expected = Sample {
            name: "n".to_owned(),
            is_on: Some(true),
            parts: Some(vec!["a".to_owned()]),
            ends_at: None,
        };
        assert_eq!(whole, Ok(expected));
        for (body, refusal) in [
            ("{}", "missing_parameter name: \"name\" is required."),
            (
                r#"{"name":null}"#,
                "invalid_parameter name: \"name\" must be a string.",
            ),
            (
                r#"{"name":"n","is_on":null}"#,
                "invalid_parameter is_on: \"is_on\" must be true or false.",
            ),
            (
                r#"{"name":"n","parts":[1]}"#,
                "invalid_parameter parts: \"parts\" must be an array of strings.",
            ),
            (
                r#"{"name":"n","ends_at":1}"#,
                "invalid_parameter ends_at: \"ends_at\" must be a string or null.",
            ),
        ] {
            assert_eq!(read(body), Err(refusal.to_owned()), "{body}");
        }
    }

    #[test]
    fn the_first_field_of_the_type_that_is_at_fault_is_named_and_unknown_ones_before_it() {
        let refusal = read(r#"{"ends_at":1,"is_on":1}"#).expect_err("no name");
        assert!(refusal.starts_with("missing_parameter name"), "{refusal}");
        let refusal = read(r#"{"name":1,"other":1}"#).expect_err("an unknown field");
        let expected = "unknown_parameter other: There is no \"other\" here; there is \"name\", \"is_on\", \"parts\", \"ends_at\".";
        assert_eq!(refusal, expected);
    }
}
