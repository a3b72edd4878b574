use http::{HeaderMap, HeaderName, HeaderValue};

/// A request's headers, in whichever form they were read.
pub trait Headers: Sync {
    /// The values of the headers of this name, in the order in which they came.
    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]>;

    /// Whether there is a header of this name.
    fn has(&self, name: &HeaderName) -> bool {
        self.values(name).next().is_some()
    }
}

impl Headers for HeaderMap {
    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}
