//! From where a request came, in the ways in which proxies write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The hops of an `X-Forwarded-For`, each `None` where it is not known or not understood. Balancers write
/// ports behind addresses, in brackets or not.
pub(crate) fn listed_hops(list: &[u8]) -> Vec<Option<IpAddr>> {
    let elements = elements(list, b',').filter(|element| !element.trim_ascii().is_empty());
    elements.map(node).collect()
}

/// The hops of a `Forwarded` (RFC 7239 section 4).
pub(crate) fn forwarded_hops(list: &[u8]) -> Vec<Option<IpAddr>> {
    let elements = elements(list, b',').filter(|element| !element.trim_ascii().is_empty());
    elements.map(by_for).collect()
}

/// Who is named by the one `for` of an element.
fn by_for(element: &[u8]) -> Option<IpAddr> {
    let mut named = elements(element, b';').filter_map(|pair| {
        let (name, value) = pair.split_at(pair.iter().position(|byte| *byte == b'=')?);
        let is_for = name.trim_ascii().eq_ignore_ascii_case(b"for");
        is_for.then_some(&value[1..])
    });
    let first = named.next()?;
    named.next().is_none().then(|| node(first)).flatten()
}

/// The parts between separators that do not stand in quotes.
fn elements(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    list.split(move |byte| {
        is_quoted ^= *byte == b'"';
        *byte == separator && !is_quoted
    })
}

/// An address as RFC 7239 section 6 writes it, with or without a port; `None` for `unknown`, for names that
/// hide one, and for anything else.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let text = unquoted(text.trim_matches([' ', '\t']))?;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_whole.then_some(address.into());
    }
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (address, port) = text.split_once(':')?;
    let address: Ipv4Addr = address.parse().ok()?;
    is_port(port).then_some(address.into())
}

fn unquoted(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(text),
    }
}

/// Whether it is the number of a port, or a name that hides one.
fn is_port(text: &str) -> bool {
    let is_number = text.parse::<u16>().is_ok() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_hidden = |name: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !name.is_empty() && name.bytes().all(is_part)
    };
    is_number || text.strip_prefix('_').is_some_and(is_hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hop: &str) -> Option<String> {
        node(hop.as_bytes()).map(|address| address.to_string())
    }

    #[test]
    fn every_way_of_writing_an_address_is_read() {
        for hop in [
            "192.0.2.7",
            " 192.0.2.7\t",
            "192.0.2.7:51234",
            "\"192.0.2.7\"",
            "\"192.0.2.7:51234\"",
            "192.0.2.7:_port",
        ] {
            assert_eq!(read(hop).as_deref(), Some("192.0.2.7"), "{hop}");
        }
        for hop in [
            "2001:db8::7",
            "2001:DB8:0::7",
            "[2001:db8::7]",
            "[2001:db8::7]:51234",
            "\"[2001:db8::7]\"",
            "\"[2001:db8::7]:51234\"",
            "\"[2001:db8::7]:_x\"",
        ] {
            assert_eq!(read(hop).as_deref(), Some("2001:db8::7"), "{hop}");
        }
    }

    #[test]
    fn what_names_no_address_is_taken_for_none() {
        for hop in [
            "",
            "unknown",
            "_hidden",
            "_192.0.2.7",
            "example.com",
            "192.0.2",
            "192.0.2.07",
            "0xc0000207",
            "192.0.2.7:",
            "192.0.2.7:65536",
            "192.0.2.7:+1",
            "192.0.2.7:1:2",
            "192.0.2.7, 192.0.2.8",
            "[192.0.2.7]",
            "[2001:db8::7",
            "[2001:db8::7]51234",
            "[2001:db8::7]:",
            "2001:db8::7]",
            "\"192.0.2.7",
            "192.0.2.7\"",
            "fe80::1%eth0",
            "192.0.2.7 evil",
        ] {
            assert_eq!(read(hop), None, "{hop}");
        }
    }
}
