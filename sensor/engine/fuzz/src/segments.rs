//! Any bytes as the segments of one TCP session between two hosts: sequence numbers near each other, so that segments
//! overlap, leave gaps, wrap and lie.

use crate::Taker;

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [192, 0, 2, 1];

/// One raw IPv4 packet with a TCP segment, or None at the end of the input.
///
/// Input per segment: flags of TCP, a byte of choices, offsets of sequence and acknowledgement, a length, the payload.
pub fn next(input: &mut Taker<'_>) -> Option<Vec<u8>> {
    if input.is_empty() {
        return None;
    }
    let (flags, choices) = (input.u8(), input.u8());
    let to_client = choices & 1 != 0;
    // Both sides begin just below the wrap of their sequence space.
    let base = if choices & 2 == 0 { 0xffff_ff00_u32 } else { 1000 };
    let seq = base.wrapping_add(u32::from(input.u16()));
    let ack = base.wrapping_add(u32::from(input.u16()));
    let len = usize::from(if choices & 4 == 0 { u16::from(input.u8()) } else { input.u16() % 2000 });
    let payload = input.bytes(len);
    let (source, destination) = if to_client { (SERVER, CLIENT) } else { (CLIENT, SERVER) };
    let (source_port, destination_port) = if to_client { (80_u16, 1025_u16) } else { (1025, 80) };

    let mut packet = Vec::with_capacity(40 + payload.len());
    let total = u16::try_from(40 + payload.len()).unwrap_or(u16::MAX);
    packet.extend([0x45, 0]);
    packet.extend(total.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, 6, 0, 0]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(source_port.to_be_bytes());
    packet.extend(destination_port.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend(ack.to_be_bytes());
    packet.extend([0x50, flags, 0x20, 0, 0, 0]);
    packet.extend(if choices & 8 == 0 { [0, 0] } else { [0, 9] });
    packet.extend(payload);
    Some(packet)
}
