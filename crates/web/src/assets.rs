//! The files that pages load, embedded in the program.

use axum::response::{IntoResponse, Response};
use http::{
    Uri,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

use crate::answer::{ApiError, not_found};

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
pub(crate) const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($name:literal: $content_type:expr,)*) => {
        const ASSETS: &[Asset] = &[$(Asset {
            name: $name,
            content_type: $content_type,
            body: include_str!(concat!("../assets/", $name)),
        },)*];
    };
}

assets! {
    "copy.js": JAVASCRIPT,
    "created_key.js": JAVASCRIPT,
    "keygate.css": CSS,
    "mark.svg": SVG,
    "new_key.js": JAVASCRIPT,
    "once.js": JAVASCRIPT,
    "password.js": JAVASCRIPT,
    "revoke.js": JAVASCRIPT,
    "time.js": JAVASCRIPT,
    "try.js": JAVASCRIPT,
    "try_key.js": JAVASCRIPT,
}

struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
}

impl Asset {
    fn of(name: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.name == name)
    }

    fn version(&self) -> String {
        version(self.body.as_bytes())
    }
}

/// What tells this content from any other.
pub(crate) fn version(content: &[u8]) -> String {
    format!("v={:08x}", crc32fast::hash(content))
}

/// How long browsers may keep what is at an address: for ever, if that names its version.
pub(crate) fn caching(uri: &Uri, version: &str) -> &'static str {
    if uri.query() == Some(version) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// Where a page finds an asset. The address changes with the content, so that browsers may keep it.
pub(crate) fn url(name: &str) -> String {
    let asset = Asset::of(name).expect("templates name assets that there are");
    format!("/assets/{name}?{}", asset.version())
}

/// `GET /assets/{file}`
pub(crate) async fn show(uri: Uri) -> Response {
    let name = uri.path().trim_start_matches("/assets/");
    let Some(asset) = Asset::of(name) else {
        return ApiError::from(not_found()).into_response();
    };
    let cache = caching(&uri, &asset.version());
    let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, cache)];
    (headers, asset.body).into_response()
}
