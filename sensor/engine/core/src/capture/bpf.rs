//! Capture filters on replayed frames: classic BPF programs (McCanne and Jacobson 1993), as libpcap compiles them.
//!
//! A program is checked when it is loaded: known instructions, jumps forward and inside, a return at the end. So it always
//! ends, after at most as many steps as it has instructions.

use serde_json::Value;

/// The most instructions of a program (the kernel's BPF_MAXINSNS).
pub const INSTRUCTIONS_MAX: usize = 4096;
/// Scratch words.
const MEMORY_WORDS: usize = 16;

/// (code, jump if true, jump if false, k)
pub type Instruction = (u16, u8, u8, u32);

/// Filter programs by link type; none at all lets everything through.
#[derive(Clone, Debug, Default)]
pub struct CaptureFilter {
    programs: Vec<(u16, Vec<Instruction>)>,
}

impl CaptureFilter {
    /// From node `capture-filter` of the configuration: link type (as text) → list of [code, jt, jf, k]. Errors say what is
    /// wrong with it.
    pub fn new(document: &Value) -> Result<CaptureFilter, String> {
        let mut programs = Vec::new();
        for (link_type, program) in document["capture-filter"].as_object().into_iter().flatten() {
            let wrong = |what: &str| format!("capture-filter: {link_type}: {what}");
            let number = link_type.parse().map_err(|_| wrong("is no link type"))?;
            let program: Vec<Instruction> =
                serde_json::from_value(program.clone()).map_err(|error| wrong(&error.to_string()))?;
            check(&program).map_err(|what| wrong(&what))?;
            programs.push((number, program));
        }
        Ok(CaptureFilter { programs })
    }

    /// Whether the frame is to be looked at. `wire_len`: its length on the wire in bytes.
    #[inline]
    pub fn admits(&self, link_type: u16, frame: &[u8], wire_len: u32) -> bool {
        if self.programs.is_empty() {
            return true;
        }
        let program = self.programs.iter().find(|(of, _)| *of == link_type);
        program.is_some_and(|(_, program)| run(program, frame, wire_len) != 0)
    }
}

/// The class, source and so on of an instruction's code.
const LD: u16 = 0;
const LDX: u16 = 1;
const ST: u16 = 2;
const STX: u16 = 3;
const ALU: u16 = 4;
const JMP: u16 = 5;
const RET: u16 = 6;
const X: u16 = 0x08;

pub fn check(program: &[Instruction]) -> Result<(), String> {
    if program.is_empty() || program.len() > INSTRUCTIONS_MAX {
        return Err(format!("a program has 1 to {INSTRUCTIONS_MAX} instructions"));
    }
    for (at, &(code, jt, jf, k)) in program.iter().enumerate() {
        let left = program.len().saturating_sub(at.saturating_add(1)) as u64;
        let ends = match code & 7 {
            JMP if code & 0xf0 == 0 => u64::from(k),
            JMP => u64::from(jt.max(jf)),
            _ => 0,
        };
        if ends > left || (ends == left && code & 7 != RET) {
            return Err(format!("instruction {at} runs past the end"));
        }
    }
    Ok(())
}

/// The program's answer: how many bytes to keep, 0 for none.
pub(super) fn run(program: &[Instruction], frame: &[u8], wire_len: u32) -> u32 {
    let mut memory = [0u32; MEMORY_WORDS];
    let (mut a, mut x) = (0u32, 0u32);
    let mut at = 0usize;
    while let Some(&(code, jt, jf, k)) = program.get(at) {
        at = at.saturating_add(1);
        match code & 7 {
            LD | LDX => {
                let value = match code & 0xe0 {
                    0x00 => Some(k),
                    0x20 => load(frame, k as usize, code & 0x18),
                    0x40 => load(frame, (x as usize).saturating_add(k as usize), code & 0x18),
                    0x60 => memory.get(k as usize).copied(),
                    0x80 => Some(wire_len),
                    // The length of an IPv4 header from its first byte.
                    0xa0 => frame.get(k as usize).map(|b| u32::from(b & 0x0f).saturating_mul(4)),
                    _ => None,
                };
                // What lies outside of the frame ends the program, as in the kernel.
                let Some(value) = value else { return 0 };
                *(if code & 7 == LD { &mut a } else { &mut x }) = value;
            }
            ST | STX => {
                if let Some(word) = memory.get_mut(k as usize) {
                    *word = if code & 7 == ST { a } else { x };
                }
            }
            ALU => match arithmetic(code & 0xf0, a, if code & X == 0 { k } else { x }) {
                Some(value) => a = value,
                None => return 0,
            },
            JMP => {
                let right = if code & X == 0 { k } else { x };
                let holds = match code & 0xf0 {
                    0x00 => {
                        at = at.saturating_add(k as usize);
                        continue;
                    }
                    0x10 => a == right,
                    0x20 => a > right,
                    0x30 => a >= right,
                    _ => a & right != 0,
                };
                at = at.saturating_add(usize::from(if holds { jt } else { jf }));
            }
            RET => return if code & 0x18 == 0 { k } else { a },
            _ if code & 0x80 == 0 => x = a,
            _ => a = x,
        }
    }
    0
}

fn arithmetic(operation: u16, a: u32, right: u32) -> Option<u32> {
    Some(match operation {
        0x00 => a.wrapping_add(right),
        0x10 => a.wrapping_sub(right),
        0x20 => a.wrapping_mul(right),
        0x30 => a.checked_div(right)?,
        0x40 => a | right,
        0x50 => a & right,
        0x60 => a.checked_shl(right).unwrap_or(0),
        0x70 => a.checked_shr(right).unwrap_or(0),
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(right)?,
        _ => a ^ right,
    })
}

/// A big-endian word, half word or byte; None outside of the frame.
fn load(frame: &[u8], at: usize, size: u16) -> Option<u32> {
    let rest = frame.get(at..)?;
    Some(match size {
        0x00 => u32::from_be_bytes(*rest.first_chunk()?),
        0x08 => u32::from(u16::from_be_bytes(*rest.first_chunk()?)),
        _ => u32::from(*rest.first()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `ip and tcp dst port 22` for LINKTYPE_RAW, written by hand.
    fn filter() -> CaptureFilter {
        CaptureFilter::new(&json!({"capture-filter": {"101": [
            [0x30, 0, 0, 0], [0x54, 0, 0, 0xf0], [0x15, 0, 6, 0x40], [0x30, 0, 0, 9], [0x15, 0, 4, 6],
            [0xb1, 0, 0, 0], [0x48, 0, 0, 2], [0x15, 0, 1, 22], [6, 0, 0, 65535], [6, 0, 0, 0]
        ]}}))
        .unwrap()
    }

    #[test]
    fn frames_are_let_through_or_not() {
        let mut packet = vec![0u8; 40];
        (packet[0], packet[9], packet[23]) = (0x45, 6, 22);
        assert!(filter().admits(101, &packet, 40));
        packet[23] = 23;
        assert!(!filter().admits(101, &packet, 40));
        assert!(!filter().admits(101, &packet[..10], 40), "a short frame matches nothing");
        assert!(!filter().admits(1, &packet, 40), "a link type without a program matches nothing");
        assert!(CaptureFilter::default().admits(1, &[], 0));
    }

    #[test]
    fn programs_that_do_not_end_are_refused() {
        for program in [json!([]), json!([[0x15, 0, 0, 1]]), json!([[5, 0, 0, 9], [6, 0, 0, 0]]), json!("x")]
        {
            assert!(CaptureFilter::new(&json!({"capture-filter": {"1": program}})).is_err());
        }
    }
}
