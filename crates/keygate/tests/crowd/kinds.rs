//! In which ways clients are slow.

use crate::support::{
    Slow,
    http2::{self, END_STREAM, PREFACE},
};

/// What Envoy calls.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
const GRPC: [(&str, &str); 2] = [("content-type", "application/grpc"), ("te", "trailers")];

pub fn silent() -> Slow {
    Slow::saying("")
}

pub fn head_that_drips() -> Slow {
    Slow::saying("GET / HTTP/1.1\r\nX: ").dripping([b'x'; 60])
}

pub fn half_of_http2s_first_words() -> Slow {
    Slow::saying(&PREFACE[..16])
}

/// It speaks HTTP/2, and asks for nothing but a sign of life.
pub fn without_a_stream() -> Slow {
    Slow::pinging(0, &[])
}

/// It has been answered, and asks for nothing more.
pub fn idle(path: &str) -> Slow {
    Slow::saying(get(path))
}

/// A password that comes a byte a second.
pub fn body_that_drips() -> Slow {
    let head = "POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
        Content-Length: 100\r\n\r\n{";
    Slow::saying(head).dripping([b' '; 60])
}

/// The same over HTTP/2, by a client that answers whether it is there.
pub fn body_that_does_not_come(path: &str) -> Slow {
    let json = [("content-type", "application/json")];
    Slow::pinging(1 << 16, &[http2::head(1, 0, "POST", path, &json)])
}

pub fn question_that_does_not_come() -> Slow {
    Slow::pinging(1 << 16, &[http2::head(1, 0, "POST", CHECK, &GRPC)])
}

/// It speaks HTTP/2, and opens no window for what it asks for.
pub fn without_a_window(path: &str) -> Slow {
    Slow::pinging(0, &[http2::head(1, END_STREAM, "GET", path, &[])])
}

pub fn answer_without_a_window() -> Slow {
    let part = |field: u8, bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).expect("it is short");
        [&[field << 3 | 2, length], bytes].concat()
    };
    let http = [part(2, b"GET"), part(4, b"/v1/models")].concat();
    let question = part(1, &part(4, &part(2, &http)));
    let length = u8::try_from(question.len()).expect("it is short");
    let message = [&[0, 0, 0, 0, length], &question[..]].concat();
    Slow::pinging(
        0,
        &[
            http2::head(1, 0, "POST", CHECK, &GRPC),
            http2::data(1, END_STREAM, &message),
        ],
    )
}

/// It asks for this so often that the answers find no room, and reads none of them.
pub fn unread(path: &str, times: usize) -> Slow {
    Slow::leaving_unread(get(path).repeat(times))
}

/// It asks for this with a key, and does not read the answer.
pub fn unread_with(key: &str, path: &str) -> Slow {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
    Slow::leaving_unread(request)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}
