//! The body of a write: a JSON object, taken field by field, so that each refusal can name the
//! field at fault. Nothing is coerced.

use std::{fmt, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use keygate_core::{Code, Problem};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::answer::ApiError;

/// The longest body that the management API takes.
const MAX_BODY: usize = 128 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The fields of a JSON object, none of them twice. They may be secret, so it cannot be printed.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Refuses fields that the call does not have.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, Problem> {
        match self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            None => Ok(self),
            Some((unknown, _)) => Err(unknown_parameter(unknown, known)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A field's value, if the field is there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let position = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(position).1)
    }

    /// A string that must be there.
    pub(crate) fn required_string(&mut self, name: &'static str) -> Result<String, Problem> {
        self.optional_string(name)?.ok_or_else(|| {
            Problem::new(Code::MissingParameter, format!("\"{name}\" is required."))
                .with_param(name)
        })
    }

    /// A string that may be left out.
    pub(crate) fn optional_string(
        &mut self,
        name: &'static str,
    ) -> Result<Option<String>, Problem> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::invalid_parameter(name, "must be a string")),
        }
    }

    /// An array of strings that may be left out.
    pub(crate) fn optional_strings(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<String>>, Problem> {
        let rule = || Problem::invalid_parameter(name, "must be an array of strings");
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(items)) => {
                let texts = items.into_iter().map(|item| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(rule()),
                });
                texts.collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(rule()),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body).await?;
        Ok(parse(&bytes)?)
    }
}

pub(crate) async fn read_body(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Problem> {
    let announced = headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BODY as u64) {
        return Err(body_too_large());
    }
    let body = Limited::new(body, MAX_BODY).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(body_too_large()),
        Ok(Err(_)) => Err(invalid_request("The body broke off.")),
        Err(_) => Err(invalid_request(
            "The body did not arrive within 10 seconds.",
        )),
    }
}

fn parse(bytes: &[u8]) -> Result<Fields, Problem> {
    let Object { fields, duplicate } = serde_json::from_slice(bytes)
        .map_err(|_| invalid_request("The body must be a JSON object in UTF-8."))?;
    match duplicate {
        None => Ok(Fields(fields)),
        Some(name) => Err(duplicate_parameter(&name)),
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
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if object.fields.iter().any(|(known, _)| *known == name) {
                        object.duplicate.get_or_insert(name);
                    } else {
                        object.fields.push((name, value));
                    }
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

fn duplicate_parameter(name: &str) -> Problem {
    let name = shortened(name);
    Problem::new(
        Code::InvalidParameter,
        format!("\"{name}\" is there twice."),
    )
    .with_param(name)
}

/// A name that the client chose: so much of it as tells which field is meant.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

pub(crate) fn unknown_parameter(name: &str, known: &[&str]) -> Problem {
    let name = shortened(name);
    let known = known.join("\", \"");
    Problem::new(
        Code::UnknownParameter,
        format!("There is no \"{name}\" here; there is \"{known}\"."),
    )
    .with_param(name)
}

fn invalid_request(message: &'static str) -> Problem {
    Problem::new(Code::InvalidRequest, message)
}

fn body_too_large() -> Problem {
    Problem::new(Code::BodyTooLarge, "The body may have at most 128 KiB.")
}
