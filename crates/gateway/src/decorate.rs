//! What keygate adds to the answers of the data plane, and how it writes its own.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use keygate_http::{Headers, RequestId, X_REQUEST_ID};

use crate::{Authorizer, Cors, error_form::ErrorForm};

/// Stands on every answer of the data plane while keys are decided about by what may be out of date.
pub const X_KEYGATE_STALE: HeaderName = HeaderName::from_static("x-keygate-stale");

/// The headers that every answer of the data plane has, whichever front sends it.
pub struct Decoration<'a> {
    id: &'a RequestId,
    stale_seconds: Option<HeaderValue>,
    /// What a browser is told that asks on behalf of a page.
    for_page: Vec<(HeaderName, HeaderValue)>,
    form: ErrorForm,
}

impl<'a> Decoration<'a> {
    /// The headers of the answer to the request `id`, about which `authorizer` decides.
    pub fn new(id: &'a RequestId, authorizer: &Authorizer) -> Self {
        Self {
            id,
            stale_seconds: authorizer.stale_seconds(),
            for_page: Vec::new(),
            form: ErrorForm::OpenAi,
        }
    }

    /// The same for a client that reads errors in this form.
    pub(crate) fn in_form(self, form: ErrorForm) -> Self {
        Self { form, ..self }
    }

    /// Says to the browser that sent `headers` whether the page may read the answer.
    pub(crate) fn for_page(self, cors: &Cors, headers: &impl Headers) -> Self {
        Self {
            for_page: cors.headers(headers),
            ..self
        }
    }

    /// The id of the request.
    pub(crate) fn id(&self) -> &RequestId {
        self.id
    }

    /// An answer of keygate's own as the client reads it.
    pub(crate) fn shape(&self, answer: Response<Bytes>) -> Response<Bytes> {
        self.form.apply(answer, self.id)
    }

    /// Calls `header` with each of them.
    pub(crate) fn write(&self, mut header: impl FnMut(&HeaderName, &[u8])) {
        header(&X_REQUEST_ID, self.id.as_bytes());
        if let Some(seconds) = &self.stale_seconds {
            header(&X_KEYGATE_STALE, seconds.as_bytes());
        }
        for (name, value) in &self.for_page {
            header(name, value.as_bytes());
        }
    }

    /// Adds each of them. None is there before: what an upstream sends under their names is removed, but for `Vary`, of
    /// which there may be several.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        self.write(|name, value| {
            let value = HeaderValue::from_bytes(value).expect("plain words are header values");
            headers.append(name, value);
        });
    }
}
