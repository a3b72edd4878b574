//! What is the same for all who ask, and is rendered once for them.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::Arc,
};

use axum::{body::Bytes, response::Response};
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY},
};
use tokio::sync::Mutex;

/// Something as it was rendered for somebody.
pub(crate) struct Rendered {
    plain: Bytes,
    gzip: Bytes,
}

impl Rendered {
    /// The answer with it as its body, for whoever sent these headers.
    pub(crate) fn answer(
        &self,
        request: &HeaderMap,
        response: impl FnOnce(Bytes) -> Response,
    ) -> Response {
        let is_encoded = takes_gzip(request);
        let body = if is_encoded { &self.gzip } else { &self.plain };
        let mut response = response(body.clone());
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if is_encoded {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// What was rendered last of something, by what it was rendered from.
pub(crate) struct RenderedLast<K> {
    most: usize,
    kept: Mutex<VecDeque<(K, Arc<Rendered>)>>,
}

impl<K: PartialEq + Send + 'static> RenderedLast<K> {
    /// Keeps so many at most.
    pub(crate) const fn keeping(most: usize) -> Self {
        Self {
            most,
            kept: Mutex::const_new(VecDeque::new()),
        }
    }

    /// What there is for this key. It is rendered once, away from the async threads, one at a time. Nothing
    /// if the program ends meanwhile.
    pub(crate) async fn get(
        &self,
        key: K,
        render: impl FnOnce(&K) -> String + Send + 'static,
    ) -> Option<Arc<Rendered>> {
        let mut kept = self.kept.lock().await;
        if let Some((_, found)) = kept.iter().find(|(known, _)| *known == key) {
            return Some(found.clone());
        }
        let rendering = tokio::task::spawn_blocking(move || {
            let plain = render(&key);
            let gzip = compress(plain.as_bytes()).expect("memory takes it");
            let rendered = Rendered {
                plain: plain.into(),
                gzip: gzip.into(),
            };
            (key, Arc::new(rendered))
        });
        let (key, rendered) = rendering.await.ok()?;
        kept.truncate(self.most - 1);
        kept.push_front((key, rendered.clone()));
        Some(rendered)
    }
}

fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain)?;
    encoder.finish()
}

/// Whether a client takes gzip (RFC 9110 section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_gzip = |coding: &[u8]| {
        let mut parts = coding.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"gzip"));
        let is_refused = |weight: &[u8]| {
            let zero = weight.strip_prefix(b"q=0").or(weight.strip_prefix(b"Q=0"));
            zero.is_some_and(|rest| rest.iter().all(|byte| matches!(byte, b'.' | b'0')))
        };
        is_named && !parts.any(is_refused)
    };
    codings.into_iter().any(is_gzip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_ask_for_it() {
        for (accept, expected) in [
            ("gzip, deflate, br", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("gzipped", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
            assert_eq!(takes_gzip(&headers), expected, "{accept}");
        }
    }

    #[tokio::test]
    async fn what_was_rendered_is_rendered_once_until_others_have_taken_its_place() {
        let pages = RenderedLast::keeping(2);
        let times = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        for (key, expected) in [(1, 1), (1, 1), (2, 2), (1, 2), (3, 3), (2, 3), (1, 4)] {
            let count = times.clone();
            let render = move |key: &u8| {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                key.to_string()
            };
            let rendered = pages.get(key, render).await.expect("the runtime runs");
            assert_eq!(rendered.plain, key.to_string());
            let rendered = times.load(std::sync::atomic::Ordering::Relaxed);
            assert_eq!(rendered, expected, "{key}");
        }
    }
}
