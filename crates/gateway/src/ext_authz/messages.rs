//! What Envoy asks and is answered, in protocol buffers: of `envoy.service.auth.v3` and of what it
//! refers to, the fields that keygate reads or writes. Others that Envoy sends are passed over.
//!
//! Field numbers are those of Envoy's `external_auth.proto`, `attribute_context.proto` and `base.proto`.

use std::collections::HashMap;

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub attributes: Option<AttributeContext>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttributeContext {
    /// Who connected to Envoy.
    #[prost(message, optional, tag = "1")]
    pub source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    pub request: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Peer {
    #[prost(message, optional, tag = "1")]
    pub address: Option<Address>,
}

/// One of several kinds of address, of which this one has an IP address.
#[derive(Clone, PartialEq, Message)]
pub struct Address {
    #[prost(message, optional, tag = "1")]
    pub socket_address: Option<SocketAddress>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SocketAddress {
    #[prost(string, tag = "2")]
    pub address: String,
}

/// `AttributeContext.Request`.
#[derive(Clone, PartialEq, Message)]
pub struct Attributes {
    #[prost(message, optional, tag = "2")]
    pub http: Option<HttpRequest>,
}

/// The client's request: its headers stand in `headers` or in `header_map`, as Envoy was told.
#[derive(Clone, PartialEq, Message)]
pub struct HttpRequest {
    #[prost(string, tag = "2")]
    pub method: String,
    #[prost(map = "string, string", tag = "3")]
    pub headers: HashMap<String, String>,
    /// With the query.
    #[prost(string, tag = "4")]
    pub path: String,
    #[prost(message, optional, tag = "13")]
    pub header_map: Option<Headers>,
}

/// `HeaderMap`.
#[derive(Clone, PartialEq, Message)]
pub struct Headers {
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<Header>,
}

/// `HeaderValue`: the value is in one of the two.
#[derive(Clone, PartialEq, Message)]
pub struct Header {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
    #[prost(bytes = "vec", tag = "3")]
    pub raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CheckResponse {
    /// Envoy lets the request through if this is [`tonic::Code::Ok`], whatever else is said.
    #[prost(message, optional, tag = "1")]
    pub status: Option<RpcStatus>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    pub http_response: Option<HttpResponse>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(DeniedHttpResponse),
    #[prost(message, tag = "3")]
    Ok(OkHttpResponse),
}

/// What the client is answered in the upstream's place.
#[derive(Clone, PartialEq, Message)]
pub struct DeniedHttpResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderOption>,
    #[prost(string, tag = "3")]
    pub body: String,
}

/// What Envoy changes in the request, and in the upstream's answer to it.
#[derive(Clone, PartialEq, Message)]
pub struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderOption>,
    #[prost(string, repeated, tag = "5")]
    pub headers_to_remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    pub response_headers_to_add: Vec<HeaderOption>,
}

#[derive(Clone, PartialEq, Message)]
pub struct HttpStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
}

/// `HeaderValueOption`.
#[derive(Clone, PartialEq, Message)]
pub struct HeaderOption {
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
    #[prost(enumeration = "AppendAction", tag = "3")]
    pub append_action: i32,
}

/// What becomes of a header of the same name: `HeaderAppendAction`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum AppendAction {
    AppendIfExistsOrAdd = 0,
    OverwriteIfExistsOrAdd = 2,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that holds bytes: a message, a text.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        // The low bits say that a length follows.
        let length = u8::try_from(content.len()).expect("short");
        [&[number << 3 | 2, length], content].concat()
    }

    #[test]
    fn what_envoy_sends_is_read_field_by_field() {
        let header = [field(1, b"authorization"), field(2, b"Bearer x")].concat();
        let raw = [field(1, b"x-raw"), field(3, b"\xff")].concat();
        let protocol = field(10, b"HTTP/2");
        let http = [
            field(2, b"GET"),
            field(3, &header),
            field(4, b"/v1/models?a"),
            protocol,
            field(13, &field(1, &raw)),
        ]
        .concat();
        let address = field(1, &field(1, &field(2, b"192.0.2.1")));
        let attributes = [field(1, &address), field(4, &field(2, &http))].concat();
        let read = CheckRequest::decode(&*field(1, &attributes)).expect("a request");
        let attributes = read.attributes.expect("attributes");
        let address = attributes.source.and_then(|peer| peer.address);
        let address = address.and_then(|address| address.socket_address);
        assert_eq!(address.expect("an address").address, "192.0.2.1");
        let http = attributes.request.and_then(|request| request.http);
        let http = http.expect("a request");
        assert_eq!((&*http.method, &*http.path), ("GET", "/v1/models?a"));
        assert_eq!(http.headers["authorization"], "Bearer x");
        let raw = http.header_map.expect("headers").headers.remove(0);
        assert_eq!((&*raw.key, &*raw.raw_value), ("x-raw", &b"\xff"[..]));
    }

    #[test]
    fn refusal_is_written_as_envoy_reads_it() {
        let response = CheckResponse {
            status: Some(RpcStatus { code: 7 }),
            http_response: Some(HttpResponse::Denied(DeniedHttpResponse {
                status: Some(HttpStatus { code: 100 }),
                headers: vec![HeaderOption {
                    header: Some(Header {
                        key: "a".to_owned(),
                        value: "b".to_owned(),
                        ..Header::default()
                    }),
                    append_action: AppendAction::OverwriteIfExistsOrAdd.into(),
                }],
                body: "no".to_owned(),
            })),
        };
        let option = [
            field(1, &[field(1, b"a"), field(2, b"b")].concat()),
            vec![3 << 3, 2],
        ];
        let denied = [
            field(1, &[1 << 3, 100]),
            field(2, &option.concat()),
            field(3, b"no"),
        ];
        let written = [field(1, &[1 << 3, 7]), field(2, &denied.concat())].concat();
        assert_eq!(response.encode_to_vec(), written);
    }
}
