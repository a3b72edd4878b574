//! Where frames and messages begin and end on a WebSocket (RFC 6455 section 5.2).

const CLOSE: u8 = 0x88;
const TEXT: u8 = 0x81;
/// Says that the length stands in the next two bytes.
const TWO_BYTES: u8 = 0x7e;
const IS_MASKED: u8 = 0x80;
const IS_LAST: u8 = 0x80;
const IS_CONTROL: u8 = 0x08;

/// Follows the frames that pass in one direction.
#[derive(Default)]
pub(super) struct Frames {
    head: Vec<u8>,
    /// How much of the payload of the frame under way is yet to come.
    left: u64,
    is_in_message: bool,
}

impl Frames {
    /// Follows what passes.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = usize::try_from(self.left).unwrap_or(usize::MAX);
                let passed = passed.min(bytes.len());
                self.left -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            self.head.push(bytes[0]);
            bytes = &bytes[1..];
            self.end_head();
        }
    }

    /// Whether a frame of one's own can be sent now.
    pub(super) fn is_between_frames(&self) -> bool {
        self.head.is_empty() && self.left == 0
    }

    /// Whether a message of one's own can be sent now.
    pub(super) fn is_between_messages(&self) -> bool {
        self.is_between_frames() && !self.is_in_message
    }

    /// Reads the head, once all of it is there.
    fn end_head(&mut self) {
        let [kind, length, ref rest @ ..] = self.head[..] else {
            return;
        };
        let mask = if length & IS_MASKED == 0 { 0 } else { 4 };
        let short = u64::from(length & !IS_MASKED);
        let long = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if rest.len() < long + mask {
            return;
        }
        self.left = if long == 0 {
            short
        } else {
            rest[..long]
                .iter()
                .fold(0, |length, byte| (length << 8) | u64::from(*byte))
        };
        if kind & IS_CONTROL == 0 {
            self.is_in_message = kind & IS_LAST == 0;
        }
        self.head.clear();
    }
}

/// Who sends a frame: clients mask what they send (RFC 6455 section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
}

/// A frame that ends a socket, with a code and a word that says why.
pub(super) fn close(sender: Sender, code: u16, why: &str) -> Vec<u8> {
    let payload = [&code.to_be_bytes(), why.as_bytes()].concat();
    frame(CLOSE, sender, &payload)
}

/// A message to a client.
pub(super) fn text(message: &[u8]) -> Vec<u8> {
    frame(TEXT, Sender::Server, message)
}

fn frame(kind: u8, sender: Sender, payload: &[u8]) -> Vec<u8> {
    let mask_bit = if sender == Sender::Client {
        IS_MASKED
    } else {
        0
    };
    let mut frame = vec![kind];
    if let Ok(length @ ..126) = u8::try_from(payload.len()) {
        frame.push(mask_bit | length);
    } else {
        let length = u16::try_from(payload.len()).expect("what is sent here is short");
        frame.push(mask_bit | TWO_BYTES);
        frame.extend(length.to_be_bytes());
    }
    if sender == Sender::Client {
        // A mask of zeros leaves the payload as it is.
        frame.extend([0; 4]);
    }
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many bytes there was room for a frame, and for a message, of one's own.
    fn gaps(bytes: &[u8]) -> (Vec<usize>, Vec<usize>) {
        let mut frames = Frames::default();
        let (mut between_frames, mut between_messages) = (Vec::new(), Vec::new());
        for (place, byte) in bytes.iter().enumerate() {
            frames.follow(&[*byte]);
            if frames.is_between_frames() {
                between_frames.push(place + 1);
            }
            if frames.is_between_messages() {
                between_messages.push(place + 1);
            }
        }
        let mut at_once = Frames::default();
        at_once.follow(bytes);
        assert_eq!(at_once.is_between_frames(), frames.is_between_frames());
        (between_frames, between_messages)
    }

    #[test]
    fn frames_end_where_their_payload_does() {
        assert_eq!(gaps(&[0x81, 2, b'h', b'i']), (vec![4], vec![4]));
        assert_eq!(gaps(&[0x89, 0]), (vec![2], vec![2]));
        let masked = [0x81, 0x82, 1, 2, 3, 4, b'h', b'i'];
        assert_eq!(gaps(&masked), (vec![8], vec![8]));
        for (length, head) in [
            (126_usize, vec![0x82, 126, 0, 126]),
            (70_000, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 17, 112]),
        ] {
            let whole = [head, vec![7; length]].concat();
            assert_eq!(gaps(&whole), (vec![whole.len()], vec![whole.len()]));
        }
    }

    #[test]
    fn messages_end_with_their_last_frame_and_control_frames_may_come_between() {
        let parts = [0x01, 1, b'a', 0x89, 0, 0x00, 1, b'b', 0x80, 1, b'c'];
        assert_eq!(gaps(&parts), (vec![3, 5, 8, 11], vec![11]));
    }

    #[test]
    fn own_frames_are_whole() {
        for frame in [
            close(Sender::Server, 1008, "api_key_revoked"),
            close(Sender::Client, 1008, ""),
            text(&[b'x'; 125]),
            text(&[b'x'; 126]),
            text(&vec![b'x'; 60_000]),
        ] {
            let (between_frames, _) = gaps(&frame);
            assert_eq!(between_frames, [frame.len()]);
        }
        assert_eq!(close(Sender::Server, 1000, "x"), [0x88, 3, 3, 0xe8, b'x']);
    }
}
