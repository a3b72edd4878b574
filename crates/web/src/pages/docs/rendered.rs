use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::Arc,
};

use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};
use tokio::sync::Mutex;

use crate::pages::frame::Frame;

/// How many pages are kept. They differ by who looks and by which address.
const KEPT: usize = 8;

/// The page as it was rendered for somebody.
pub(super) struct Rendered {
    pub(super) plain: Bytes,
    pub(super) gzip: Bytes,
}

/// What was rendered last: it is always the same, long, and for anybody who asks.
#[derive(Default)]
pub(super) struct RenderedPages(Mutex<VecDeque<(Key, Arc<Rendered>)>>);

type Key = (Frame, String);

impl RenderedPages {
    pub(super) const fn new() -> Self {
        Self(Mutex::const_new(VecDeque::new()))
    }

    /// The page for this frame and origin. It is rendered once, away from the async threads, one page at a time.
    pub(super) async fn get(
        &self,
        key: Key,
        render: impl FnOnce(&Key) -> String + Send + 'static,
    ) -> Option<Arc<Rendered>> {
        let mut kept = self.0.lock().await;
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
        kept.truncate(KEPT - 1);
        kept.push_front((key, rendered.clone()));
        Some(rendered)
    }
}

fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain)?;
    encoder.finish()
}
