//! Where a chunked body ends (RFC 9112 section 7.1).

use std::ops::Range;

use crate::framing::Malformed;

/// Follows a chunked body as it passes, to know its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunked {
    state: State,
    /// How many bytes there were in extensions.
    extensions: u32,
    /// How many bytes, and how many, trailer fields there were.
    trailer_bytes: u32,
    trailers: u32,
}

/// How many bytes extensions may have together, and trailer fields, and how many of these there may be: as
/// many as the HTTP library takes.
const MAX_ASIDE: u32 = 16 * 1024;
const MAX_TRAILERS: u32 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the hexadecimal digits of a chunk's size; how many there were, but for zeros before them.
    Size { value: u64, digits: u8 },
    /// In the blanks behind a chunk's size.
    Blank { value: u64 },
    /// Between a chunk's size and the end of its line.
    Extension { value: u64 },
    /// Before the line feed that ends a chunk's size.
    SizeEnd { value: u64 },
    /// In a chunk with so many bytes to come.
    Data { left: u64 },
    /// Before the line end that follows a chunk.
    DataEnd { line_feed: bool },
    /// At the beginning of a line after the last chunk.
    TrailerStart,
    /// In the name of a trailer field.
    TrailerName,
    /// Behind the name of a trailer field.
    Trailer,
    /// Before the line feed that ends a trailer field.
    TrailerEnd,
    /// Before the last line feed.
    End,
    /// Behind it.
    Done,
}

/// How many digits a chunk's size may have that are not zeros before it: as many as fit.
const MAX_DIGITS: u8 = 16;

/// What of the bytes that came belongs to a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// How many of them do.
    pub(super) length: usize,
    /// Those among them that do not pass: what is beside a chunk's size, which is for this hop alone (RFC 9112
    /// section 7.1.1), and trailer fields, in which an upstream could say what it may not say in its head
    /// (RFC 9110 section 6.5.1 lets them be dropped).
    dropped: Vec<Range<usize>>,
}

impl Piece {
    /// So many bytes, all of which pass.
    pub(super) fn whole(length: usize) -> Self {
        Self {
            length,
            dropped: Vec::new(),
        }
    }

    /// What passes of the bytes that came.
    pub(super) fn passing<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let ends = self.dropped.iter().map(|range| range.start);
        let starts = self.dropped.iter().map(|range| range.end);
        let starts = std::iter::once(0).chain(starts);
        let kept = starts.zip(ends.chain([self.length]));
        kept.map(move |(start, end)| &bytes[start..end])
    }

    /// All of them, if all pass.
    pub(super) fn as_whole<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        self.dropped.is_empty().then(|| &bytes[..self.length])
    }

    fn drop_byte(&mut self, place: usize) {
        match self.dropped.last_mut() {
            Some(last) if last.end == place => last.end += 1,
            _ => self.dropped.push(place..place + 1),
        }
    }
}

impl Chunked {
    pub(super) const fn new() -> Self {
        Self {
            state: State::new(),
            extensions: 0,
            trailer_bytes: 0,
            trailers: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Which of these bytes belong to the body.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        let mut piece = Piece::whole(0);
        while let Some(byte) = bytes.get(piece.length)
            && !self.is_done()
        {
            if let State::Data { left } = &mut self.state {
                let here = (bytes.len() - piece.length) as u64;
                let passed = here.min(*left);
                *left -= passed;
                if *left == 0 {
                    self.state = State::DataEnd { line_feed: false };
                }
                // No more than what is left of the bytes.
                piece.length += usize::try_from(passed).map_err(|_| Malformed)?;
            } else {
                if self.take(*byte)? {
                    piece.drop_byte(piece.length);
                }
                piece.length += 1;
            }
        }
        Ok(piece)
    }

    /// Takes a byte that is no data. Whether it does not pass.
    fn take(&mut self, byte: u8) -> Result<bool, Malformed> {
        let before = self.state;
        self.state = before.after(byte)?;
        let is_trailer = before.is_in_trailer() || self.state.is_in_trailer();
        match (before, self.state) {
            (State::Extension { .. }, State::Extension { .. }) => self.extensions += 1,
            (State::TrailerEnd, _) => self.trailers += 1,
            _ => {}
        }
        self.trailer_bytes += u32::from(is_trailer);
        let is_too_much = self.extensions >= MAX_ASIDE
            || self.trailer_bytes >= MAX_ASIDE
            || self.trailers > MAX_TRAILERS;
        if is_too_much {
            return Err(Malformed);
        }
        let is_beside_size = matches!(self.state, State::Blank { .. } | State::Extension { .. });
        Ok(is_beside_size || is_trailer)
    }
}

impl State {
    const fn new() -> Self {
        Self::Size {
            value: 0,
            digits: 0,
        }
    }

    fn is_in_trailer(self) -> bool {
        matches!(self, Self::TrailerName | Self::Trailer | Self::TrailerEnd)
    }

    fn after(self, byte: u8) -> Result<Self, Malformed> {
        Ok(match (self, byte) {
            (Self::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                if value > 0 && digits == MAX_DIGITS {
                    return Err(Malformed);
                }
                Self::Size {
                    value: value << 4 | u64::from(digit),
                    digits: if value > 0 { digits + 1 } else { 1 },
                }
            }
            (Self::Size { digits: 0, .. }, _) => return Err(Malformed),
            (
                Self::Size { value, .. } | Self::Blank { value } | Self::Extension { value },
                b'\r',
            ) => Self::SizeEnd { value },
            (Self::Size { value, .. } | Self::Blank { value }, b';') => Self::Extension { value },
            (Self::Size { value, .. } | Self::Blank { value }, b' ' | b'\t') => {
                Self::Blank { value }
            }
            // Whatever it is: nobody asked for it, and it goes no further.
            (Self::Extension { value }, _) if byte != b'\n' => Self::Extension { value },
            (Self::SizeEnd { value: 0 } | Self::TrailerEnd, b'\n') => Self::TrailerStart,
            (Self::SizeEnd { value }, b'\n') => Self::Data { left: value },
            (Self::DataEnd { line_feed: false }, b'\r') => Self::DataEnd { line_feed: true },
            (Self::DataEnd { line_feed: true }, b'\n') => Self::new(),
            (Self::TrailerStart, b'\r') => Self::End,
            (Self::Trailer, b'\r') => Self::TrailerEnd,
            (Self::TrailerName, b':') => Self::Trailer,
            (Self::TrailerStart | Self::TrailerName, _) if is_name(byte) => Self::TrailerName,
            (Self::Trailer, _) if is_text(byte) => Self::Trailer,
            (Self::End, b'\n') => Self::Done,
            _ => return Err(Malformed),
        })
    }
}

/// What may stand in a name (RFC 9110 section 5.6.2).
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What may stand in a trailer field.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn follow(text: &str) -> Result<(usize, bool), Malformed> {
        let mut body = Chunked::new();
        let piece = body.follow(text.as_bytes())?;
        Ok((piece.length, body.is_done()))
    }

    #[test]
    fn trailer_fields_and_extensions_do_not_pass_however_they_are_cut() {
        let text = b"2 ;a=\x01\"\0\xff\r\nok\r\n1\t\r\n!\r\n0;\r\nSet-Cookie: a=b\r\nX: y\r\n\r\n";
        for cut in 0..text.len() {
            let mut body = Chunked::new();
            let mut passed = Vec::<u8>::new();
            for part in [&text[..cut], &text[cut..]] {
                let piece = body.follow(part).expect("well-formed");
                passed.extend(piece.passing(part).flatten());
            }
            assert_eq!(passed, b"2\r\nok\r\n1\r\n!\r\n0\r\n\r\n", "cut at {cut}");
            assert!(body.is_done());
        }
    }

    #[test]
    fn what_stands_beside_a_body_has_a_limit() {
        let extended = |length| format!("1;{}\r\nx\r\n", "a".repeat(length));
        let aside = MAX_ASIDE as usize;
        for (text, is_taken) in [
            (extended(aside - 1), true),
            (extended(aside), false),
            (extended(aside / 2).repeat(2), false),
            (format!("0\r\nX: {}\r\n\r\n", "y".repeat(aside - 10)), true),
            (format!("0\r\nX: {}\r\n\r\n", "y".repeat(aside)), false),
            (format!("0\r\n{}\r\n", "X: y\r\n".repeat(100)), true),
            (format!("0\r\n{}\r\n", "X: y\r\n".repeat(101)), false),
        ] {
            assert_eq!(follow(&text).is_ok(), is_taken, "{text:.50}");
        }
    }

    #[test]
    fn the_end_is_found_and_what_follows_is_left() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00000000000000000005;a=b\r\nhello\r\nA \r\n0123456789\r\n0\r\nX-T: 1\r\nY: 2\r\n\r\n",
        ] {
            assert_eq!(follow(&format!("{body}HTTP/1.1")), Ok((body.len(), true)));
        }
    }

    #[test]
    fn what_is_no_chunked_body_is_refused() {
        for text in [
            "\r\n",
            "x\r\n",
            "5\nhello",
            "5\r\nhello0\r\n",
            "5\r\nhello\n",
            "-1\r\n",
            "+5\r\n",
            "0x5\r\n",
            "10000000000000000\r\n",
            "5 6\r\nhello",
            "5 a\r\n",
            "0\r\n\n",
            "5;a\n",
            "5;a\rb\r\n",
            "0\r\nX: 1\n",
            "0\r\nX: \r1\r\n",
            "0\r\nX: \x01\r\n",
            "0\r\nX\r\n",
            "0\r\nX Y: 1\r\n",
            "0\r\nX : 1\r\n",
            "0\r\n: 1\r\n",
            "0\r\nX: 1\r\n folded\r\n",
        ] {
            assert_eq!(follow(text), Err(Malformed), "{text:?}");
        }
    }

    proptest! {
        /// However the bytes are cut up, the same end is found.
        #[test]
        fn cuts_make_no_difference(
            chunks in vec(vec(any::<u8>(), 1..40), 0..5),
            cuts in vec(1..20_usize, 0..60),
        ) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                text.extend(chunk);
                text.extend(b"\r\n");
            }
            text.extend(b"0\r\n\r\n");
            let end = text.len();
            text.extend(b"more");
            let mut body = Chunked::new();
            let (mut rest, mut passed) = (&text[..], 0);
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let piece = &rest[..cut.min(rest.len())];
                passed += body.follow(piece).expect("well-formed").length;
                rest = &rest[piece.len()..];
            }
            prop_assert_eq!((passed, body.is_done()), (end, true));
        }
    }
}
