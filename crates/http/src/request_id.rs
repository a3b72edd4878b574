use std::{
    fmt::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use keygate_core::Random;

use crate::Headers;

/// Stands on every response, and on every request that goes to an upstream.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names requests. A client's own id is kept where it is a plain word of up to 64 characters. As
/// no underscore is plain, a key is never taken for one.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

const MAX_CLIENT_ID: usize = 64;

impl RequestIds {
    /// Ids that differ from those of any other run of the program.
    pub fn new(random: &dyn Random) -> Self {
        let mut process = [0; 8];
        random.fill(&mut process);
        Self {
            process: u64::from_be_bytes(process),
            next: AtomicU64::new(0),
        }
    }

    /// The id of a request, put into its headers if it was not there.
    pub fn assign(&self, headers: &mut HeaderMap) -> RequestId {
        let id = self.choose(headers);
        headers.insert(X_REQUEST_ID, id.to_header());
        id
    }

    /// The id of a request: the client's own, or a new one.
    pub fn choose(&self, headers: &impl Headers) -> RequestId {
        let name = X_REQUEST_ID;
        let mut sent = headers.values(&name);
        match (sent.next(), sent.next()) {
            (Some(id), None) if is_plain(id) => RequestId::of(id),
            _ => self.generate(),
        }
    }

    fn generate(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut id = RequestId::of(b"req-");
        write!(id, "{:016x}{number:08x}", self.process).expect("there is room");
        id
    }
}

/// The name of a request: up to 64 letters, digits, dots and hyphens.
#[derive(Clone, Copy)]
pub struct RequestId {
    bytes: [u8; MAX_CLIENT_ID],
    length: usize,
}

impl RequestId {
    fn of(word: &[u8]) -> Self {
        let mut bytes = [0; MAX_CLIENT_ID];
        bytes[..word.len()].copy_from_slice(word);
        Self {
            bytes,
            length: word.len(),
        }
    }

    /// The id as it stands in a header.
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.as_bytes()).expect("plain words are header values")
    }

    /// The id's characters, all of them ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for RequestId {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

fn is_plain(bytes: &[u8]) -> bool {
    (1..=MAX_CLIENT_ID).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte))
}

#[cfg(test)]
mod tests {
    use keygate_core::OsRandom;

    use super::*;

    fn assign(ids: &RequestIds, sent: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for id in sent {
            let value = HeaderValue::from_str(id).expect("a header value");
            headers.append(X_REQUEST_ID, value);
        }
        let id = ids.assign(&mut headers);
        assert_eq!(
            headers.get_all(X_REQUEST_ID).iter().collect::<Vec<_>>(),
            [&id.to_header()]
        );
        id.to_string()
    }

    #[test]
    fn a_plain_id_of_the_client_is_kept() {
        let ids = RequestIds::new(&OsRandom);
        assert_eq!(assign(&ids, &["trace-01.Ab"]), "trace-01.Ab");
    }

    #[test]
    fn any_other_is_replaced_and_none_is_given_twice() {
        let ids = RequestIds::new(&OsRandom);
        let long = "a".repeat(65);
        let mut seen = Vec::new();
        for sent in [
            &[] as &[&str],
            &[""],
            &["a b"],
            &["{}"],
            &[&long],
            &["ask_a1b2C3d4E5f6G7h8J9k0L1m2N30T4WGS"],
            &["a", "b"],
        ] {
            seen.push(assign(&ids, sent));
        }
        assert!(seen.iter().all(|id| id.starts_with("req-")));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 7);
    }
}
