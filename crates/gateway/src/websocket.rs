//! WebSockets: handshakes over HTTP/1.1 (RFC 6455 section 4) and HTTP/2 (RFC 8441), and what passes after them.

mod frames;
mod tunnel;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use hyper::{
    ext::Protocol,
    upgrade::{self, OnUpgrade},
};
use keygate_core::Random;
use keygate_http::Headers;
use keygate_verify::other_protocols;

pub use tunnel::Tunnel;

const WEBSOCKET: &str = "websocket";
/// The subprotocol of `OpenAI`'s realtime API, which servers that speak it don't always confirm.
const REALTIME: &str = "realtime";

/// A client that asks for a WebSocket.
pub(crate) struct Handshake {
    pub(crate) client: OnUpgrade,
    version: Version,
    /// Whether it offers the subprotocol of the realtime API.
    offers_realtime: bool,
}

impl Handshake {
    /// The handshake that a request is, if it is one. It then has the form that it has over HTTP/1.1.
    pub(crate) fn of<B>(request: &mut Request<B>, random: &dyn Random) -> Option<Self> {
        let version = request.version();
        match version {
            Version::HTTP_2 => {
                let protocol = request.extensions().get::<Protocol>()?;
                let is_asked = *request.method() == Method::CONNECT
                    && protocol.as_str().eq_ignore_ascii_case(WEBSOCKET)
                    && !request.headers().contains_key(CONTENT_LENGTH);
                is_asked.then_some(())?;
                write_as_http1(request, random);
            }
            Version::HTTP_11 => {
                let headers = request.headers();
                let is_asked = *request.method() == Method::GET
                    && is_websocket(headers)
                    && lists(headers, &CONNECTION, "upgrade")
                    && headers.contains_key(SEC_WEBSOCKET_KEY);
                is_asked.then_some(())?;
            }
            _ => return None,
        }
        Some(Self {
            offers_realtime: lists(request.headers(), &SEC_WEBSOCKET_PROTOCOL, REALTIME),
            client: upgrade::on(request),
            version,
        })
    }

    /// Turns an upstream's acceptance into that for the client.
    pub(crate) fn accept<B>(&self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        if self.offers_realtime && !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(REALTIME));
        }
        if self.version == Version::HTTP_2 {
            headers.remove(SEC_WEBSOCKET_ACCEPT);
            *response.status_mut() = StatusCode::OK;
        } else {
            ask_for_socket(headers);
        }
    }
}

/// Adds what asks for a WebSocket over HTTP/1.1, and accepts one.
pub(crate) fn ask_for_socket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

/// Leaves out of a request what asks for a WebSocket over HTTP/1.1: it is then for what a GET has there.
pub(crate) fn forgo_socket(headers: &mut HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(UPGRADE);
}

/// The headers of a request to the gateway.
pub(crate) struct ReceivedHeaders<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) begin_socket: bool,
}

impl Headers for ReceivedHeaders<'_> {
    fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Headers::all(self.headers)
    }

    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        Headers::values(self.headers, name)
    }

    fn begin_socket(&self) -> bool {
        self.begin_socket
    }
}

/// Whether these headers are about a WebSocket.
pub(crate) fn is_websocket(headers: &impl Headers) -> bool {
    lists(headers, &UPGRADE, WEBSOCKET)
}

/// Whether a header that is a list has an entry.
fn lists(headers: &impl Headers, name: &HeaderName, entry: &str) -> bool {
    let mut entries = headers
        .values(name)
        .flat_map(|value| value.split(|byte| *byte == b','));
    entries.any(|one| one.trim_ascii().eq_ignore_ascii_case(entry.as_bytes()))
}

/// RFC 8441 section 5.1.
fn write_as_http1<B>(request: &mut Request<B>, random: &dyn Random) {
    *request.method_mut() = Method::GET;
    let mut key = [0; 16];
    random.fill(&mut key);
    let key = HeaderValue::try_from(STANDARD.encode(key)).expect("base64 is plain");
    let headers = request.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.insert(SEC_WEBSOCKET_KEY, key);
    headers
        .entry(SEC_WEBSOCKET_VERSION)
        .or_insert(HeaderValue::from_static("13"));
}

/// Removes the key from the subprotocols that a client offers.
pub(crate) fn remove_key(headers: &mut HeaderMap) {
    let offered: Vec<HeaderValue> = headers
        .get_all(&SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|offered| HeaderValue::from_bytes(&other_protocols(offered.as_bytes())).ok())
        .filter(|others| !others.is_empty())
        .collect();
    headers.remove(&SEC_WEBSOCKET_PROTOCOL);
    for others in offered {
        headers.append(&SEC_WEBSOCKET_PROTOCOL, others);
    }
}
