use http::{HeaderMap, HeaderName, HeaderValue};

/// A request's headers, in whichever form they were read.
pub trait Headers: Sync {
    /// All of them, in the order in which they came: names as they were sent, and values.
    fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// The values of the headers of this name, in the order in which they came.
    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]>;

    /// Whether they begin a WebSocket whose subprotocols can be changed before they are passed on: one of those may then
    /// be the key.
    fn begin_socket(&self) -> bool {
        false
    }
}

impl Headers for HeaderMap {
    fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.iter()
            .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
    }

    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

/// Leaves the headers whose names, in lower case, pass.
pub fn retain_headers(headers: &mut HeaderMap, passes: impl Fn(&[u8]) -> bool) {
    let names = headers.keys();
    let gone = names.filter(|name| !passes(name.as_str().as_bytes()));
    for name in gone.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

/// Whether servers may take a header for the one that is `known` (in lower case): some read `_` and `.`
/// as `-`.
pub fn is_spelling_of(name: &[u8], known: &str) -> bool {
    name.len() == known.len() && has_spelling_of(name, known)
}

/// Whether a header's name begins with `prefix` (in lower case), in any spelling.
pub fn has_spelling_of(name: &[u8], prefix: &str) -> bool {
    name.len() >= prefix.len()
        && name.iter().zip(prefix.as_bytes()).all(|(byte, known)| {
            byte.to_ascii_lowercase() == *known || (*known == b'-' && matches!(byte, b'_' | b'.'))
        })
}
