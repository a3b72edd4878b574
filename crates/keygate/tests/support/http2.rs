//! HTTP/2 by hand (RFC 9113), for what no library would send.

/// What every connection begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;

/// Nothing more of this stream is to come.
pub const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const INITIAL_WINDOW_SIZE: u16 = 4;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let length = &length.to_be_bytes()[1..];
    [length, &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The beginning of a connection whose client takes so much of each answer.
pub fn beginning(window: u32) -> Vec<u8> {
    let setting = [
        &INITIAL_WINDOW_SIZE.to_be_bytes()[..],
        &window.to_be_bytes(),
    ]
    .concat();
    [PREFACE, &frame(SETTINGS, 0, 0, &setting)].concat()
}

/// Fields as HPACK writes them where nothing is to be remembered (RFC 7541 section 6.2.2).
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).expect("a short text");
        assert!(length < 0x7f, "longer ones are written in another way");
        [&[length], text.as_bytes()].concat()
    };
    let field = |(name, value): &(&str, &str)| [vec![0], text(name), text(value)].concat();
    fields.iter().flat_map(field).collect()
}

/// The head of a request, whole.
pub fn head(stream: u32, flags: u8, method: &str, path: &str, others: &[(&str, &str)]) -> Vec<u8> {
    let own = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "x"),
        (":path", path),
    ];
    let block = fields(&[&own, others].concat());
    frame(HEADERS, END_HEADERS | flags, stream, &block)
}

/// The beginning of a request's head, after which more is to come.
pub fn half_head(stream: u32) -> Vec<u8> {
    frame(HEADERS, 0, stream, &fields(&[(":method", "GET")]))
}

/// More of a head, after which still more is to come.
pub fn continuation(stream: u32) -> Vec<u8> {
    frame(CONTINUATION, 0, stream, &fields(&[("aaa", "bbb")]))
}

pub fn data(stream: u32, flags: u8, bytes: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, bytes)
}

pub fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

/// Ends a stream as if nothing were wrong.
pub fn reset_without_error(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &0_u32.to_be_bytes())
}

/// Refuses a stream, which was not looked at.
pub fn refuse(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes())
}

/// Ends a connection of which streams up to this one were looked at.
pub fn go_away(last: u32) -> Vec<u8> {
    let no_error = 0_u32.to_be_bytes();
    frame(GO_AWAY, 0, 0, &[last.to_be_bytes(), no_error].concat())
}

/// The head of an answer, after which a body is to come.
pub fn answer(stream: u32, status: &str) -> Vec<u8> {
    let block = fields(&[(":status", status)]);
    frame(HEADERS, END_HEADERS, stream, &block)
}

pub fn empty_settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[])
}

pub fn ping() -> Vec<u8> {
    frame(PING, 0, 0, b"stillon?")
}

/// Takes whole frames from what was read; what is to be answered to those that ask for a sign of life.
pub fn answer_pings(read: &mut Vec<u8>) -> Vec<u8> {
    let mut answers = Vec::new();
    while let Some([high, middle, low, kind, flags]) = read.first_chunk().copied() {
        let length = 9 + (usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low));
        if read.len() < length {
            break;
        }
        let taken: Vec<u8> = read.drain(..length).collect();
        if kind == PING && flags & ACK == 0 {
            answers.extend(frame(PING, ACK, 0, &taken[9..]));
        }
    }
    answers
}
