//! Which model a request names, where that decides where it goes.

mod form;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{
    Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body;
use http_body_util::BodyExt;
use keygate_core::{Code, Problem};
use keygate_http::{ClientBody, Headers};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    faults::{broken_body, overloaded, stalled_body},
    path::Readings,
    progress::BODY_SILENCE,
    routes::{is_inference, model_in_path},
};

/// How long a body may be for its model to be looked for.
const MAX_INSPECTED: usize = 32 * 1024 * 1024;

/// How many bytes of bodies are held at a time.
const ROOM: usize = 256 * 1024 * 1024;
/// So many bytes take one permit. The first of a body take none: there is always room for small ones.
const SHARE: usize = 64 * 1024;

/// The room for bodies that are held.
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM / SHARE)))
    }
}

impl Room {
    fn take(&self, shares: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let shares = u32::try_from(shares).unwrap_or(u32::MAX);
        let taken = self.0.clone().try_acquire_many_owned(shares);
        taken.map_err(|_| overloaded("too many bodies are held for their model to be found"))
    }
}

/// The body of a request, which can be held before it is passed on.
pub(crate) trait Inspected: Send {
    /// All of it.
    fn hold(&mut self, room: &Room) -> impl Future<Output = Result<Bytes, Problem>> + Send;
}

/// A body that has come with its head.
pub(crate) struct Whole<'a>(pub(crate) &'a [u8]);

impl Inspected for Whole<'_> {
    async fn hold(&mut self, _: &Room) -> Result<Bytes, Problem> {
        Ok(Bytes::copy_from_slice(self.0))
    }
}

impl Inspected for ClientBody {
    async fn hold(&mut self, room: &Room) -> Result<Bytes, Problem> {
        if self.size_hint().lower() > MAX_INSPECTED as u64 {
            return Err(too_long());
        }
        let mut held = Vec::new();
        let mut taken = room.take(0)?;
        while let Some(frame) = timeout(BODY_SILENCE, self.frame())
            .await
            .map_err(|_| stalled_body())?
        {
            let frame = frame.map_err(|_| broken_body())?;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            held.extend_from_slice(data);
            taken.merge(room.take(held.len() / SHARE - taken.num_permits())?);
            if held.len() > MAX_INSPECTED {
                return Err(too_long());
            }
        }
        let held = Bytes::from(held);
        self.put_back(held.clone(), taken);
        Ok(held)
    }
}

fn too_long() -> Problem {
    let message = format!(
        "A body may have {} MiB at most where its model decides where it goes.",
        MAX_INSPECTED >> 20
    );
    Problem::new(Code::BodyTooLarge, message)
}

/// A request whose model is asked for.
pub(crate) struct Inspection<'a, H> {
    pub(crate) room: &'a Room,
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) path: &'a Readings<'a>,
    pub(crate) headers: &'a H,
}

impl<H: Headers> Inspection<'_, H> {
    /// The model that a request names, in its path, its query if it asks for a WebSocket, or its body if it is for
    /// inference. `None` if it names none.
    pub(crate) async fn model(&self, body: &mut impl Inspected) -> Result<Option<String>, Problem> {
        if let Some(model) = model_in_path(self.method, self.path) {
            return Ok(Some(model));
        }
        if self.headers.begin_socket() {
            return model_in_query(self.target);
        }
        if *self.method != Method::POST || !is_inference(self.path) {
            return Ok(None);
        }
        let mut codings = self.headers.values(&CONTENT_ENCODING);
        if codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            let message = "The body is compressed, and the model that it names decides where it goes. Send it without Content-Encoding.";
            return Err(Problem::new(Code::UnsupportedMediaType, message));
        }
        let mut content_types = self.headers.values(&CONTENT_TYPE);
        let content_type = content_types.next().unwrap_or_default();
        if content_types.next().is_some() {
            return Err(unclear("it has two Content-Types"));
        }
        let content_type = String::from_utf8_lossy(content_type).into_owned();
        if is_form_urlencoded(&content_type) {
            let message = "The model decides where this request goes. Send it as JSON or multipart/form-data.";
            return Err(Problem::new(Code::UnsupportedMediaType, message));
        }
        let body = body.hold(self.room).await?;
        match form::boundary_of(&content_type)? {
            Some(boundary) => form::model(body, boundary).await,
            None => model_in_json(&body),
        }
    }
}

fn is_form_urlencoded(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

pub(crate) fn unclear(why: &str) -> Problem {
    let message = format!("The model decides where this request goes, and {why}.");
    Problem::new(Code::InvalidRequest, message).with_param("model")
}

fn model_in_query(target: &str) -> Result<Option<String>, Problem> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut models = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("model"));
    let model = models.next();
    if models.next().is_some() {
        return Err(unclear("its query names two"));
    }
    Ok(model.map(|(_, model)| model.into_owned()))
}

fn model_in_json(body: &[u8]) -> Result<Option<String>, Problem> {
    let named: Named = serde_json::from_slice(body)
        .map_err(|error| unclear(&format!("its body cannot be read for one ({error})")))?;
    Ok(named.0)
}

/// What the member `model` of an object says. Names differ by more than case, as they do for servers that
/// ignore it; which of two a server takes is not known, so that two are refused.
struct Named(Option<String>);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Named, M::Error> {
        let mut found: Option<Option<String>> = None;
        while let Some(name) = members.next_key::<String>()? {
            if !name.eq_ignore_ascii_case("model") {
                members.next_value::<IgnoredAny>()?;
            } else if found.replace(members.next_value()?).is_some() {
                return Err(M::Error::custom("it names two"));
            }
        }
        Ok(Named(found.flatten()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_of_a_json_body_is_found() {
        for (body, expected) in [
            (r#"{"model":"a"}"#, Some(Some("a"))),
            (
                r#"{"x":{"model":"b"},"mod\u0065l":"a","y":[1]}"#,
                Some(Some("a")),
            ),
            (r#"{"Model":"a"}"#, Some(Some("a"))),
            (r#"{"model":null}"#, Some(None)),
            ("{}", Some(None)),
            (r#"{"model":"a","model":"b"}"#, None),
            (r#"{"model":"a","MODEL":"a"}"#, None),
            (r#"{"model":["a"]}"#, None),
            (r#"["model"]"#, None),
            (r#"{"model":"a"} x"#, None),
            ("", None),
        ] {
            let found = model_in_json(body.as_bytes()).ok();
            let found = found.as_ref().map(Option::as_deref);
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn the_model_of_a_query_is_found() {
        for (target, expected) in [
            ("/v1/realtime?model=gpt%2D4o", Some(Some("gpt-4o"))),
            ("/v1/realtime?x=model=a&model=b", Some(Some("b"))),
            ("/v1/realtime", Some(None)),
            ("/v1/realtime?model=a&model=b", None),
            ("/v1/realtime?mod%65l=a&x=1", Some(Some("a"))),
            ("/v1/realtime?model=a&Model=b", None),
        ] {
            let found = model_in_query(target).ok();
            let found = found.as_ref().map(Option::as_deref);
            assert_eq!(found, expected, "{target}");
        }
    }
}
