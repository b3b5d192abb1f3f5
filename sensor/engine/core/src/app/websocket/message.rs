//! WebSocket frame headers (RFC 6455 section 5.2), unmasking, and messages out of fragments and compression.

use flate2::{Decompress, FlushDecompress};

const FIN: u8 = 0x80;
/// RSV1: the message is compressed (RFC 7692 section 6).
const COMPRESSED: u8 = 0x40;
/// The bytes a compressor leaves out at the end of a message (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    first: u8,
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload.
    pub len: u64,
}

impl Header {
    /// The header at the front of `data` and its length; Err: bytes needed.
    pub fn read(data: &[u8]) -> Result<(Header, usize), usize> {
        let [first, second] = *data.first_chunk::<2>().ok_or(2usize)?;
        let mut at: usize = 2;
        let len = match second & 0x7f {
            126 => {
                let bytes = data.get(at..).and_then(|d| d.first_chunk::<2>()).ok_or(4usize)?;
                at = 4;
                u64::from(u16::from_be_bytes(*bytes))
            }
            127 => {
                let bytes = data.get(at..).and_then(|d| d.first_chunk::<8>()).ok_or(10usize)?;
                at = 10;
                u64::from_be_bytes(*bytes)
            }
            short => u64::from(short),
        };
        let mut mask = None;
        if second & 0x80 != 0 {
            let end = at.saturating_add(4);
            mask = Some(*data.get(at..).and_then(|d| d.first_chunk::<4>()).ok_or(end)?);
            at = end;
        }
        Ok((Header { first, mask, len }, at))
    }

    pub fn opcode(&self) -> u8 {
        self.first & 0x0f
    }
    pub fn flags(&self) -> u8 {
        self.first & 0xf0
    }
    pub fn fin(&self) -> bool {
        self.first & FIN != 0
    }
    /// Close, ping and pong: never fragmented, and allowed between the fragments of a message (section 5.4).
    fn is_control(&self) -> bool {
        self.opcode() & 0x08 != 0
    }

    pub fn unmask(&self, payload: &mut [u8]) {
        let Some(mask) = self.mask else { return };
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
    }
}

/// Puts the messages of one direction together.
#[derive(Default)]
pub struct Assembler {
    /// Payload of the fragments so far.
    held: Vec<u8>,
    compressed: bool,
    in_message: bool,
    cut: bool,
    inflate: Option<Box<Decompress>>,
    /// Every message is compressed on its own.
    pub forget_context: bool,
}

impl Assembler {
    /// The payload a frame shows, of at most `max` bytes, and whether fragments were cut at that.
    pub fn take(&mut self, header: &Header, payload: Vec<u8>, max: usize) -> (Vec<u8>, bool) {
        if header.is_control() {
            return (payload, false);
        }
        if header.opcode() != 0 || !self.in_message {
            self.held.clear();
            self.compressed = header.flags() & COMPRESSED != 0;
            self.cut = header.len > max as u64;
        }
        self.in_message = !header.fin();
        let mut over = false;
        let single = header.fin() && self.held.is_empty();
        if !single {
            let room = max.saturating_sub(self.held.len());
            over = payload.len() > room;
            self.cut |= over;
            self.held.extend_from_slice(payload.get(..room).unwrap_or(&payload));
        }
        if !header.fin() {
            return (payload, over);
        }
        let message = if single { payload } else { std::mem::take(&mut self.held) };
        if self.compressed {
            if let Some(plain) = self.decompress(&message, max) {
                return (plain, over);
            }
        }
        (message, over)
    }

    /// Inflates a whole message to at most `max` bytes; None: it is none.
    fn decompress(&mut self, message: &[u8], max: usize) -> Option<Vec<u8>> {
        if self.forget_context {
            self.inflate = None;
        }
        let inflate = self.inflate.get_or_insert_with(|| Box::new(Decompress::new(false)));
        let mut out = Vec::new();
        let mut broken = self.cut;
        for part in [message, &TAIL] {
            let mut rest = part;
            let mut piece = [0u8; 4096];
            while !broken {
                let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
                let status = inflate.decompress(rest, &mut piece, FlushDecompress::Sync);
                let used = usize::try_from(inflate.total_in().saturating_sub(before_in)).unwrap_or(0);
                let made = usize::try_from(inflate.total_out().saturating_sub(before_out)).unwrap_or(0);
                rest = rest.get(used..).unwrap_or(&[]);
                let made = piece.get(..made).unwrap_or(&[]);
                out.extend_from_slice(made);
                broken |= status.is_err() || out.len() > max;
                if used == 0 && made.is_empty() {
                    break;
                }
            }
        }
        if broken {
            // The context is not what the sender's is any more.
            self.inflate = None;
        }
        out.truncate(max);
        (!out.is_empty()).then_some(out)
    }
}
