use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
};

/// A message of HTTP/1 that was read whole.
#[derive(Debug)]
pub struct Message {
    pub first: String,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether a name was written with a capital, which makes no difference.
    pub has_capitals: bool,
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        (&self.first, &self.headers, &self.body) == (&other.first, &other.headers, &other.body)
    }
}

impl Message {
    /// The status of an answer.
    pub fn status(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// Its first line alone.
    pub fn without_words(self) -> Self {
        Self {
            headers: Vec::new(),
            body: Vec::new(),
            ..self
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(known, value)| (known == name).then_some(&**value))
    }
}

/// Reads a request, or an answer but for those that come before it. `None` is one that breaks off or that
/// nobody could read.
pub fn read_message(stream: &mut TcpStream, is_to_head: bool) -> Option<Message> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut message = read_head(&mut reader)?;
        if message.first.starts_with("HTTP/1.") && message.status().starts_with('1') {
            continue;
        }
        message.body = read_body(&mut reader, &message, is_to_head)?;
        return Some(message);
    }
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\r\n")?;
    // Every byte is a character, so that none is lost.
    Some(line.iter().copied().map(char::from).collect())
}

fn read_head(reader: &mut impl BufRead) -> Option<Message> {
    let mut message = Message {
        first: read_line(reader)?,
        headers: Vec::new(),
        body: Vec::new(),
        has_capitals: false,
    };
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Some(message);
        }
        let (name, value) = line.split_once(':')?;
        let small = name.to_ascii_lowercase();
        message.has_capitals |= small != name;
        message.headers.push((small, value.trim().to_owned()));
    }
}

fn read_body(reader: &mut impl BufRead, message: &Message, is_to_head: bool) -> Option<Vec<u8>> {
    let is_answer = message.first.starts_with("HTTP/1.");
    let mut body = Vec::new();
    if is_to_head || is_answer && matches!(message.status(), "204" | "304") {
        return Some(body);
    }
    if message.value("transfer-encoding").is_some() {
        loop {
            let line = read_line(reader)?;
            let length = u64::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            reader.take(length).read_to_end(&mut body).ok()?;
            // There are no trailers.
            if !read_line(reader)?.is_empty() {
                return None;
            }
            if length == 0 {
                return Some(body);
            }
        }
    }
    if let Some(length) = message.value("content-length") {
        let length = length.parse().ok()?;
        reader.take(length).read_to_end(&mut body).ok()?;
        return (body.len() as u64 == length).then_some(body);
    }
    if is_answer {
        reader.read_to_end(&mut body).ok()?;
    }
    Some(body)
}
