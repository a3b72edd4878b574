//! The body of a write: a JSON object, taken field by field, so that each refusal can name the
//! field at fault. Nothing is coerced.

use std::{collections::HashSet, fmt, time::Duration};

use axum::extract::{FromRequest, Request};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use keygate_control::SignedInSession;
use keygate_core::{Code, Problem};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use crate::answer::{ApiError, shutting_down};

/// The longest body that is taken from whoever is signed in, and from anybody else, in KiB.
const MAX_KIB: usize = 128;
const MAX_KIB_OF_STRANGER: usize = 16;
/// A body of more bytes is taken apart away from the async threads.
const SHORT: usize = 16 * 1024;
/// How long a body may take to arrive.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

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
        Ok(fields(read_body(request).await?).await?)
    }
}

/// The fields of a body that is there.
async fn fields(bytes: Vec<u8>) -> Result<Fields, Problem> {
    if bytes.len() <= SHORT {
        return parse(&bytes);
    }
    let parsed = tokio::task::spawn_blocking(move || parse(&bytes)).await;
    parsed.map_err(|_| shutting_down())?
}

/// The body of a call that has no fields: there is none, or an object without any.
pub(crate) struct NoFields;

impl<S: Send + Sync> FromRequest<S> for NoFields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = read_body(request).await?;
        if !bytes.is_empty() {
            fields(bytes).await?.only(&[])?;
        }
        Ok(Self)
    }
}

/// The whole body. Who has not signed in may send less.
pub(crate) async fn read_body(request: Request) -> Result<Vec<u8>, Problem> {
    let signed_in: Option<&SignedInSession> = request.extensions().get();
    let max_kib = signed_in.map_or(MAX_KIB_OF_STRANGER, |_| MAX_KIB);
    let body = request.into_body();
    if body.size_hint().lower() > max_kib as u64 * 1024 {
        return Err(body_too_large(max_kib));
    }
    let body = Limited::new(body, max_kib * 1024).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(body_too_large(max_kib)),
        Ok(Err(_)) => Err(invalid_request("The body broke off.")),
        Err(_) => Err(Problem::new(
            Code::RequestTimeout,
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
    let message = if known.is_empty() {
        format!("There is no \"{name}\" here, nor any other field.")
    } else {
        let known = known.join("\", \"");
        format!("There is no \"{name}\" here; there is \"{known}\".")
    };
    Problem::new(Code::UnknownParameter, message).with_param(name)
}

fn invalid_request(message: &'static str) -> Problem {
    Problem::new(Code::InvalidRequest, message)
}

fn body_too_large(max_kib: usize) -> Problem {
    let message = format!("The body may have at most {max_kib} KiB.");
    Problem::new(Code::BodyTooLarge, message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keygate_core::thread_cpu_time;

    use super::*;

    /// What the processor needs to refuse a body that does not have the fields of a call.
    fn time_to_refuse(body: &str) -> Duration {
        let started = thread_cpu_time();
        let fields = parse(body.as_bytes()).expect("an object without duplicates");
        assert!(fields.only(&["name"]).is_err());
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
}
