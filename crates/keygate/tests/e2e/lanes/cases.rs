use std::fmt;

use crate::support::Dice;

/// A moment that no answer is dated by where the upstream does not say so.
pub const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// What a client sends, and what the upstream says to it.
pub struct Case {
    pub request: Vec<u8>,
    pub is_head: bool,
    pub answer: Vec<u8>,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (request, answer) = (self.request.escape_ascii(), self.answer.escape_ascii());
        write!(
            formatter,
            "\nrequest: {request:.2000}\nanswer: {answer:.2000}\n"
        )
    }
}

impl Case {
    /// A case at random of a client with this key, below this path.
    pub fn new(dice: &mut Dice, path: &str, key: &str) -> Self {
        let method = one_of(dice, METHODS);
        Self {
            request: request(dice, method, path, key),
            is_head: method == "HEAD",
            answer: answer(dice),
        }
    }
}

const METHODS: &[&str] = &[
    "GET", "GET", "GET", "POST", "POST", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS",
    "TRACE", "PROPFIND", "get", "G@T",
];

const TARGETS: &[&str] = &[
    "/models",
    "/models",
    "/chat/completions",
    "/files?x=1&y=%20",
    "",
    "/",
    "/?",
    "/a%2Fb",
    "/a//b",
    "/../models",
    "/%2e%2e/x",
    "/a;b=c",
    "/%zz",
    "/{a}",
    "/a|b",
    "/x?<y>",
    "/x#y",
    "/\u{e9}",
    "/a%00b",
    "/a\\b",
    "/x?key=1",
    "/~a/_b-c.d:e@f!$'()*+,;=",
];

/// What a client may say beside what it has to. Of each there may be several.
const SAID: &[&str] = &[
    "Accept: */*",
    "X-Plain: 1",
    "x-plain: 2",
    "X-Empty:",
    "X-Blank:  \t a b \t ",
    "X-Bytes: \u{e9}\u{ff}",
    "Cookie: keygate_session=a; b=c",
    "Connection: keep-alive",
    "Connection: Keep-Alive",
    "Connection: close",
    "Connection: keep-alive, X-Plain",
    "Connection: x-keygate-key-id",
    "Connection: ",
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "Trailer: X-After",
    "Upgrade: websocket",
    "Upgrade: h2c",
    "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic eDp5",
    "X-Keygate-Key-Id: forged",
    "X_Keygate_Scopes: admin",
    "X-Keygate-Account-Id: forged",
    "X-Forwarded-For: 10.1.2.3",
    "X-Forwarded-For: 10.1.2.3, 10.4.5.6:80",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: other",
    "X-Real-IP: 10.1.2.3",
    "Forwarded: for=10.1.2.3;proto=https",
    "Via: 1.1 other",
    "Via: 1.0 a, 1.1 b",
    "Max-Forwards: 3",
    "X-HTTP-Method-Override: DELETE",
    "X-Original-URL: /admin",
    "x_http_method: PUT",
    "X-Request-Id: mine",
    "X-Request-Id: mine too",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "Origin: https://other.example",
    "Sec-Fetch-Site: cross-site",
    "Accept-Encoding: gzip",
    "Range: bytes=0-1",
    "If-None-Match: \"x\"",
    "Content-Type: application/json",
    "X-Api-Key: ",
    "Host: other",
    "Expect: 100-continue",
    "X Y: 1",
    "X-Space : 1",
    " folded",
    "X-Nul: \0",
    "X-Bell: \u{7}",
    "Transfer-Encoding: identity",
    "no-colon",
];

fn request(dice: &mut Dice, method: &str, path: &str, key: &str) -> Vec<u8> {
    let target = one_of(dice, TARGETS);
    let version = rarely(
        dice,
        12,
        &["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1"],
        "HTTP/1.1",
    );
    let host = rarely(
        dice,
        20,
        &["", "Host: x\r\nHost: x", "host:y:1", "Host: a b", "HOST: "],
        "Host: x",
    );
    let credential = rarely(
        dice,
        5,
        &[
            "",
            "Authorization: Bearer wrong",
            "authorization:  bearer KEY ",
            "X-Api-Key: KEY",
            "Api-Key: KEY",
            "X-Goog-Api-Key: KEY",
            "Authorization: Basic KEY",
            "Authorization: Bearer KEY\r\nX-Api-Key: KEY",
            "Authorization: Bearer KEY\r\nAuthorization: Bearer KEY",
            "Authorization: KEY",
        ],
        "Authorization: Bearer KEY",
    );
    let mut lines = vec![host.to_owned(), credential.replace("KEY", key)];
    let body = body(dice, method);
    let framing = match dice.roll(20) {
        _ if body.is_empty() && dice.roll(2) == 0 => String::new(),
        0..3 => "Transfer-Encoding: chunked".to_owned(),
        3 => "transfer-encoding: Chunked".to_owned(),
        5 => format!("Content-Length: {0}\r\nContent-Length: {0}", body.len()),
        6 => format!("Content-Length: {0}, {0}", body.len()),
        7 => "Transfer-Encoding: gzip, chunked".to_owned(),
        _ => format!("Content-Length: {}", body.len()),
    };
    let is_chunked = framing.to_ascii_lowercase().contains("chunked");
    lines.push(framing);
    let others = dice.roll(5);
    lines.extend((0..others).map(|_| one_of(dice, SAID).to_owned()));
    if dice.roll(200) == 0 {
        let many = one_of(dice, &[60, 70, 99, 101, 200]);
        lines.extend((0..many).map(|number| format!("X-{number}: {number}")));
    }
    if dice.roll(200) == 0 {
        let long = one_of(dice, &[8_000, 17_000, 66_000]);
        lines.push(format!("X-Long: {}", "y".repeat(long)));
    }
    shuffle(dice, &mut lines);
    let end = rarely(dice, 60, &["\n"], "\r\n");
    let mut request = latin1(&format!("{method} {path}{target} {version}{end}"));
    push_lines(&mut request, &lines, end);
    if is_chunked {
        chunked(dice, &body, "", SOUND_SIZES, &mut request);
    } else {
        request.extend(body);
    }
    request
}

/// Mostly what belongs to the method.
fn body(dice: &mut Dice, method: &str) -> Vec<u8> {
    let is_usual = matches!(method, "POST" | "PUT" | "PATCH");
    if is_usual == (dice.roll(10) == 0) {
        return Vec::new();
    }
    let length = one_of(dice, &[1, 5, 300, 9_000, 70_000]);
    text(length)
}

const STATUS_LINES: &[&str] = &[
    "HTTP/1.1 201 Created",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.1 404 Not Found",
    "HTTP/1.1 500 Oh",
    "HTTP/1.1 200",
    "HTTP/1.1 200 ",
    "HTTP/1.1 299 Sm\u{f6}rg\u{e5}s",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 101 Switching",
    "HTTP/1.1 99 Few",
    "HTTP/1.1 1000 Many",
    "HTTP/1.1 999 High",
    "HTTP/1.1 20x No",
    "HTTP/2 200 OK",
    "HTTP/1.2 200 OK",
    "http/1.1 200 OK",
    "ICY 200 OK",
    "HTTP/1.1  200 OK",
    "HTTP/1.1 307 Elsewhere",
    "HTTP/1.1 205 Reset",
    "HTTP/1.1 206 Part",
    "HTTP/1.1 401 No",
    "HTTP/1.1 502 Bad",
];

/// What an upstream may say beside what it has to.
const ANSWERED: &[&str] = &[
    "Content-Type: text/plain",
    "X-Plain: 1",
    "x-plain: 2",
    "X-Empty:",
    "X-Blank: \t a b \t ",
    "X-Bytes: \u{e9}\u{ff}",
    "Set-Cookie: keygate_session=x",
    "Connection: close",
    "Connection: keep-alive, X-Plain",
    "connection: Content-Type",
    "Connection: content-length",
    "Keep-Alive: timeout=1",
    "Keep-Alive: timeout=0",
    "Trailer: X-After",
    "Upgrade: h2c",
    "X-Keygate-Stale: 7",
    "X-Keygate-Key-Id: forged",
    "x_keygate_scopes: admin",
    "X-Request-Id: theirs",
    "Location: /v1/x",
    "Location: http://elsewhere.example/",
    "Date: Sun, 06 Nov 1994 08:49:37 GMT",
    "Server: x",
    "Via: 1.1 other",
    "Proxy-Authenticate: Basic",
    "WWW-Authenticate: Basic",
    "Strict-Transport-Security: max-age=1",
    "Content-Encoding: gzip",
    "Cache-Control: no-store",
    "X Y: 1",
    "X-Space : 1",
    " folded: 1",
    "X-Nul: \0",
    "X-Bell: \u{7}",
    "no-colon",
    ": nothing",
    "X-Content-Type-Options: sniff",
];

fn answer(dice: &mut Dice) -> Vec<u8> {
    let mut answer = Vec::new();
    let end = rarely(dice, 60, &["\n"], "\r\n");
    let interim = rarely(
        dice,
        15,
        &[
            "HTTP/1.1 100 Continue",
            "HTTP/1.1 103 Early\r\nLink: x",
            "HTTP/1.1 102 Processing",
        ],
        "",
    );
    if !interim.is_empty() {
        answer.extend(latin1(&format!("{interim}\r\n\r\n")));
    }
    let status = rarely(dice, 4, STATUS_LINES, "HTTP/1.1 200 OK");
    answer.extend(latin1(&format!("{status}{end}")));
    let length = one_of(dice, &[0, 1, 2, 300, 20_000, 70_000]);
    let body = text(length);
    let is_chunked = dice.roll(3) == 0;
    let length = body.len();
    let framing = if is_chunked {
        rarely(
            dice,
            8,
            &[
                "transfer-encoding: CHUNKED",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: gzip, chunked",
                "Transfer-Encoding: chunked, gzip",
                "Transfer-Encoding: chunked,",
                "Transfer-Encoding: identity",
                "Transfer-Encoding:",
                "Transfer-Encoding: chunked\r\nContent-Length: 3",
                "Transfer-Encoding: x",
                "Transfer-Encoding: chunked ",
                "Transfer-Encoding: chunked;q=1",
            ],
            "Transfer-Encoding: chunked",
        )
        .to_owned()
    } else {
        match dice.roll(24) {
            0..4 => String::new(),
            4 => format!("Content-Length: {length}\r\nContent-Length: {length}"),
            5 => format!(
                "Content-Length: {0}\r\nContent-Length: {1}",
                length,
                length + 1
            ),
            6 => format!("Content-Length: {length}, {length}"),
            7 => format!("Content-Length: +{length}"),
            8 => format!("Content-Length: 00{length}"),
            9 => format!("Content-Length: {}", length + 1),
            10 => format!("Content-Length: {}", length / 2),
            11 => "Content-Length:".to_owned(),
            12 => "Content-Length: 99999999999999999999".to_owned(),
            13 => format!("Content-Length: {length} "),
            14 => format!("Content-Length: 0x{length}"),
            _ => format!("content-length: {length}"),
        }
    };
    let mut lines = vec![framing];
    let others = dice.roll(5);
    lines.extend((0..others).map(|_| one_of(dice, ANSWERED).to_owned()));
    if dice.roll(100) == 0 {
        let many = one_of(dice, &[90, 98, 99, 100, 101, 200]);
        lines.extend((0..many).map(|number| format!("X-{number}: {number}")));
    }
    if dice.roll(100) == 0 {
        let long = one_of(dice, &[17_000, 60_000, 66_000, 140_000]);
        lines.push(format!("X-Long: {}", "y".repeat(long)));
    }
    shuffle(dice, &mut lines);
    push_lines(&mut answer, &lines, end);
    if is_chunked {
        let trailer = rarely(
            dice,
            4,
            &[
                "X-After: 1\r\n",
                "Set-Cookie: a=b\r\n",
                "X Y: 1\r\n",
                "x\r\n",
            ],
            "",
        );
        chunked(dice, &body, trailer, SIZES, &mut answer);
    } else {
        answer.extend(body);
    }
    if dice.roll(40) == 0 {
        // It breaks off somewhere.
        answer.truncate(dice.pick(answer.len()));
    }
    if dice.roll(40) == 0 {
        answer.extend(b"HTTP/1.1 200 OK\r\n\r\nmore");
    }
    answer
}

/// How the size of a chunk is written in one way or another, once in [`ODD_SIZES`] times.
const SOUND_SIZES: &[fn(usize) -> String] = &[
    |size| format!("{size:X};a=b"),
    |size| format!("{size:x} "),
    |size| format!("{size:020x}"),
    |size| format!("{size:x};a=\"b;c\""),
    |size| format!("{size:x}\t;a"),
];
/// The same in ways, too, in which it may not be written.
const SIZES: &[fn(usize) -> String] = &[
    |size| format!("{size:x};\u{1}\0\t\u{7f}"),
    |size| format!("{size:x};a\rb"),
    |size| format!("{size:x};a\nb"),
    |size| format!("{size:X};a=b"),
    |size| format!("{size:x} "),
    |size| format!("{size:020x}"),
    |size| format!("{size:x} 6"),
    |size| format!("0x{size:x}"),
    |size| format!("+{size:x}"),
    |size| format!("1{size:016x}"),
    |size| format!(" {size:x}"),
    |size| format!("{size:x}\r\n"),
];
const ODD_SIZES: u64 = 12;

/// Adds a body in chunks.
fn chunked(
    dice: &mut Dice,
    body: &[u8],
    trailer: &str,
    sizes: &[fn(usize) -> String],
    into: &mut Vec<u8>,
) {
    let mut rest = body;
    while !rest.is_empty() {
        let (piece, others) = rest.split_at(dice.pick(rest.len()) + 1);
        rest = others;
        let line = if dice.roll(ODD_SIZES) == 0 {
            one_of(dice, sizes)(piece.len())
        } else {
            format!("{:x}", piece.len())
        };
        into.extend(latin1(&format!("{line}\r\n")));
        into.extend(piece);
        into.extend(b"\r\n");
    }
    into.extend(format!("0\r\n{trailer}\r\n").into_bytes());
}

fn push_lines(into: &mut Vec<u8>, lines: &[String], end: &str) {
    for line in lines.iter().filter(|line| !line.is_empty()) {
        into.extend(latin1(&format!("{line}{end}")));
    }
    into.extend(end.bytes());
}

/// The text, each of its characters a byte.
fn latin1(text: &str) -> Vec<u8> {
    let byte = |character| u8::try_from(character).expect("a character of Latin-1");
    text.chars().map(byte).collect()
}

/// So many letters.
fn text(length: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(length).collect()
}

fn one_of<T: Copy>(dice: &mut Dice, choices: &[T]) -> T {
    choices[dice.pick(choices.len())]
}

/// One of these once in so many times.
fn rarely<'a>(dice: &mut Dice, times: u64, others: &[&'a str], usual: &'a str) -> &'a str {
    if dice.roll(times) == 0 {
        one_of(dice, others)
    } else {
        usual
    }
}

fn shuffle<T>(dice: &mut Dice, list: &mut [T]) {
    for place in (1..list.len()).rev() {
        list.swap(place, dice.pick(place + 1));
    }
}
