//! Reads the parts of a DNS message: names with their compression (RFC 1035 section 4.1.4), queries, records. Every loop
//! here is bounded by the bytes it uses up or by a named cap.

use super::message::{Message, Name, Oddity, Query, Rdata, Record, Soa, HEADER_LEN};
use super::rrtype;

/// Longest name kept, in bytes of text. RFC 1035 allows 255; Suricata keeps 1025, and rules on long tunnelling names rely on it.
pub const NAME_MAX: usize = 1025;
/// Labels read of one name: a legal name has at most 127.
pub const LABELS_MAX: usize = 255;
/// Compression pointers followed in one name: a legal name has at most 127 labels, so it needs no more pointers.
pub const POINTERS_MAX: usize = 127;
/// Text made of one message, as a multiple of its length (plus a floor): compression lets 11 bytes stand for 1025, and
/// this keeps the cost of a message linear in its size. Real zone transfers stay far below.
pub const TEXT_PER_BYTE: usize = 16;
const TEXT_FLOOR: usize = 4096;
/// Pure-pointer names remembered, since most records of an answer point at the same one or two names.
const REMEMBERED: usize = 4;

/// A position in a message, and what is left of its allowance.
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    text_left: usize,
    remembered: [(u16, Name); REMEMBERED],
    next_slot: usize,
}

impl<'a> Reader<'a> {
    /// Begins behind the header.
    pub(super) fn new(data: &'a [u8]) -> Self {
        Reader {
            data,
            at: HEADER_LEN,
            text_left: data.len().saturating_mul(TEXT_PER_BYTE).saturating_add(TEXT_FLOOR),
            remembered: [(u16::MAX, Name::default()); REMEMBERED],
            next_slot: 0,
        }
    }

    pub(super) fn query(&mut self, message: &mut Message) -> Option<Query> {
        let (name, at) = self.name(message, self.at)?;
        let rrtype = be16(self.data, at)?;
        // The class behind it is IN, or of no interest; but it must be there.
        be16(self.data, at.saturating_add(2))?;
        self.at = at.saturating_add(4);
        Some(Query { name, rrtype })
    }

    /// Reads a section; None when it is cut or one of its records is malformed.
    pub(super) fn records(
        &mut self,
        message: &mut Message,
        count: u16,
        section: fn(&mut Message) -> &mut Vec<Record>,
    ) -> Option<usize> {
        for _ in 0..count {
            let record = self.record(message)?;
            section(message).push(record);
        }
        Some(section(message).len())
    }

    fn record(&mut self, message: &mut Message) -> Option<Record> {
        let (name, at) = self.name(message, self.at)?;
        let rrtype = be16(self.data, at)?;
        let ttl = be32(self.data, at.saturating_add(4))?;
        let len = usize::from(be16(self.data, at.saturating_add(8))?);
        let start = at.saturating_add(10);
        let end = start.saturating_add(len);
        let raw = self.data.get(start..end)?;
        let data = self.rdata(message, rrtype, start, raw)?;
        match data {
            Rdata::Name(inner) | Rdata::Srv { target: inner, .. } => message.inner_names.push(inner),
            Rdata::Soa(soa) => message.inner_names.push(soa.mname),
            _ => {}
        }
        self.at = end;
        Some(Record { name, rrtype, ttl, data })
    }

    fn rdata(&mut self, message: &mut Message, kind: u16, start: usize, raw: &[u8]) -> Option<Rdata> {
        Some(match kind {
            rrtype::A => match <[u8; 4]>::try_from(raw) {
                Ok(address) => Rdata::A(address),
                Err(_) => Rdata::Other,
            },
            rrtype::AAAA => match <[u8; 16]>::try_from(raw) {
                Ok(address) => Rdata::Aaaa(address),
                Err(_) => Rdata::Other,
            },
            // Updates (RFC 2136) delete by records without data.
            _ if raw.is_empty() => Rdata::Other,
            rrtype::NS | rrtype::CNAME | rrtype::PTR => Rdata::Name(self.name(message, start)?.0),
            rrtype::MX => Rdata::Name(self.name(message, start.saturating_add(2))?.0),
            rrtype::TXT => Rdata::Txt(message.keep(raw)),
            rrtype::NULL => Rdata::Null(message.keep(raw)),
            rrtype::OPT => Rdata::Opt(message.keep(raw)),
            rrtype::SOA => {
                let (mname, at) = self.name(message, start)?;
                let (rname, at) = self.name(message, at)?;
                let field = |n: usize| be32(self.data, at.saturating_add(n.saturating_mul(4)));
                Rdata::Soa(Soa {
                    mname,
                    rname,
                    serial: field(0)?,
                    refresh: field(1)?,
                    retry: field(2)?,
                    expire: field(3)?,
                    minimum: field(4)?,
                })
            }
            rrtype::SRV => Rdata::Srv {
                priority: be16(raw, 0)?,
                weight: be16(raw, 2)?,
                port: be16(raw, 4)?,
                target: self.name(message, start.saturating_add(6))?.0,
            },
            rrtype::SSHFP => Rdata::Sshfp {
                algorithm: *raw.first()?,
                kind: *raw.get(1)?,
                fingerprint: message.keep(raw.get(2..)?),
            },
            _ => Rdata::Other,
        })
    }

    /// Reads the name at `at`; gives it and the position behind it. None when it runs out of the message or has a reserved label type.
    fn name(&mut self, message: &mut Message, mut at: usize) -> Option<(Name, usize)> {
        let first = at;
        let start = message.text.len();
        let cap = NAME_MAX.min(self.text_left);
        let mut behind = None;
        let mut truncated = false;
        let (mut labels, mut pointers) = (0usize, 0usize);
        let mut pure = None;
        loop {
            let byte = *self.data.get(at)?;
            match byte >> 6 {
                0 if byte == 0 => break,
                0 => {
                    let label = self.data.get(at.checked_add(1)?..)?.get(..usize::from(byte))?;
                    at = at.checked_add(1)?.checked_add(label.len())?;
                    if truncated {
                        continue; // Only on the way to the end of the name in its record.
                    }
                    labels = labels.saturating_add(1);
                    if labels > LABELS_MAX {
                        message.mark(Oddity::TooManyLabels);
                        truncated = true;
                    } else if !append(&mut message.text, start, cap, label) {
                        message.mark(Oddity::NameTooLong);
                        truncated = true;
                    }
                    if truncated && behind.is_some() {
                        break;
                    }
                }
                3 => {
                    let target = be16(self.data, at)? & 0x3fff;
                    behind = behind.or(at.checked_add(2));
                    if truncated {
                        break;
                    }
                    pointers = pointers.saturating_add(1);
                    let endless = pointers > POINTERS_MAX || usize::from(target) == at;
                    if endless || pointers > cap {
                        message.mark(if endless { Oddity::InfiniteLoop } else { Oddity::NameTooLong });
                        truncated = true;
                        break;
                    }
                    if at == first {
                        if let Some(&(_, name)) = self.remembered.iter().find(|(t, _)| *t == target) {
                            return Some((name, behind?));
                        }
                        pure = Some(target);
                    }
                    at = usize::from(target);
                }
                _ => return None,
            }
        }
        let name = Name { text: message.span_from(start), truncated };
        let work = (name.text.len as usize).saturating_add(pointers);
        self.text_left = self.text_left.saturating_sub(work);
        if let (Some(target), Some(slot)) = (pure, self.remembered.get_mut(self.next_slot)) {
            *slot = (target, name);
            self.next_slot = self.next_slot.wrapping_add(1) % REMEMBERED;
        }
        Some((name, behind.or(at.checked_add(1))?))
    }
}

/// Adds a label to the name that begins at `start`; false when it had to be cut at `cap` bytes.
fn append(text: &mut Vec<u8>, start: usize, cap: usize, label: &[u8]) -> bool {
    let mut room = cap.saturating_sub(text.len().saturating_sub(start));
    if text.len() > start && room > 0 {
        text.push(b'.');
        room = room.saturating_sub(1);
    }
    text.extend_from_slice(label.get(..room).unwrap_or(label));
    label.len() <= room
}

/// Whether a name begins well at `at`, as far as the bytes go; for recognition.
pub fn plausible_name(data: &[u8], mut at: usize) -> bool {
    let mut len = 0usize;
    loop {
        match data.get(at) {
            None | Some(0) | Some(0xc0..) => return true,
            Some(&byte) if byte < 64 => {
                len = len.saturating_add(usize::from(byte)).saturating_add(1);
                at = at.saturating_add(usize::from(byte)).saturating_add(1);
                if len > NAME_MAX {
                    return true; // Too long to be legal, but a name: the parser flags it.
                }
            }
            Some(_) => return false,
        }
    }
}

pub fn be16(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

pub fn be32(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
