//! What is in a tunnel, in classic BPF: X goes to its beginning, and a word of memory says of what kind it is.

use super::program::{
    if_any, room, set, skip, when, ADD, ADD_X, AND, IPV4, IPV6, JA, JGE, JGT, LD_BYTE_X, LD_HALF_X, LD_MEM,
    LD_WORD_X, LSH, ST, TAX,
};
use super::zones::{IN_TUNNEL, NOW, PROTOCOL};
use crate::capture::bpf::Instruction;
use crate::decode::{Config, Ports};

/// Ranges of ports beyond which a tunnel is looked for on every port.
const RANGES_MAX: usize = 16;
const ERSPAN_3: u32 = 0x22eb;
const ERSPAN: u32 = 0x88be;
const BRIDGED: u32 = 0x6558;

/// Finds what is in a tunnel behind an IP header: its kind, and X at its beginning.
pub(super) fn transport(tunnels: &Config) -> Vec<Instruction> {
    let mut code = when(PROTOCOL, &[4], set(IN_TUNNEL, IPV4));
    code.extend(when(PROTOCOL, &[41], set(IN_TUNNEL, IPV6)));
    code.extend(when(PROTOCOL, &[47], room(4, gre())));
    let mut udp = on_ports(&tunnels.vxlan, vxlan());
    udp.extend(when(IN_TUNNEL, &[0], room(16, on_ports(&tunnels.geneve, geneve()))));
    udp.extend(when(IN_TUNNEL, &[0], room(16, on_ports(&tunnels.teredo, teredo()))));
    code.extend(when(PROTOCOL, &[17], room(16, udp)));
    code
}

/// RFC 2784 and 2890, without the routing of RFC 1701.
fn gre() -> Vec<Instruction> {
    let mut code = vec![(LD_HALF_X, 0, 0, 2), (ST, 0, 0, IN_TUNNEL)];
    code.extend(skip(4));
    for bit in [0x8000, 0x2000, 0x1000] {
        code.extend([(LD_MEM, 0, 0, NOW), (AND, 0, 0, bit)]);
        code.extend(if_any(&[bit], skip(4)));
    }
    // Type I has neither sequence number nor header of its own; III may have eight bytes more.
    let mut second = vec![(LD_MEM, 0, 0, NOW), (AND, 0, 0, 0x1000)];
    second.extend(if_any(&[0x1000], skip(8)));
    second.extend(set(IN_TUNNEL, BRIDGED));
    let mut third = vec![(LD_BYTE_X, 0, 0, 11), (AND, 0, 0, 1)];
    third.extend(if_any(&[1], skip(8)));
    third.extend(skip(12));
    third.extend(set(IN_TUNNEL, BRIDGED));
    code.extend(when(IN_TUNNEL, &[ERSPAN], second));
    code.extend(when(IN_TUNNEL, &[ERSPAN_3], room(12, third)));
    code.extend(when(IN_TUNNEL, &[BRIDGED], ethernet()));
    let flags = vec![(LD_HALF_X, 0, 0, 0), (ST, 0, 0, NOW), (AND, 0, 0, 0x4007)];
    [flags, if_any(&[0], code)].concat()
}

/// RFC 7348: the flag that says it is one.
fn vxlan() -> Vec<Instruction> {
    const VALID_ID: u32 = 0x0800_0000;
    let flags = vec![(LD_WORD_X, 0, 0, 8), (AND, 0, 0, VALID_ID)];
    [flags, if_any(&[VALID_ID], [set(IN_TUNNEL, BRIDGED), skip(16), ethernet()].concat())].concat()
}

/// RFC 8926.
fn geneve() -> Vec<Instruction> {
    let mut code =
        vec![(LD_HALF_X, 0, 0, 10), (ST, 0, 0, IN_TUNNEL), (LD_BYTE_X, 0, 0, 8), (AND, 0, 0, 0x3f)];
    code.extend([(LSH, 0, 0, 2), (ADD, 0, 0, 16), (ADD_X, 0, 0, 0), (TAX, 0, 0, 0)]);
    code.extend(when(IN_TUNNEL, &[BRIDGED], ethernet()));
    [vec![(LD_BYTE_X, 0, 0, 8), (AND, 0, 0, 0xc0)], if_any(&[0], code)].concat()
}

/// RFC 4380, after an origin indication if there is one.
fn teredo() -> Vec<Instruction> {
    let mut code = skip(8);
    code.push((LD_HALF_X, 0, 0, 0));
    code.extend(if_any(&[0], skip(8)));
    let version = vec![(LD_BYTE_X, 0, 0, 0), (AND, 0, 0, 0xf0)];
    code.extend(room(40, [version, if_any(&[0x60], set(IN_TUNNEL, IPV6))].concat()));
    code
}

fn ethernet() -> Vec<Instruction> {
    let code = vec![(LD_HALF_X, 0, 0, 12), (ST, 0, 0, IN_TUNNEL)];
    room(14, [code, skip(14)].concat())
}

/// `inside` when a port of the UDP header at X is one of these.
fn on_ports(ports: &Ports, inside: Vec<Instruction>) -> Vec<Instruction> {
    let ranges = match ports {
        Ports::None => return Vec::new(),
        Ports::These(ranges) if ranges.len() <= RANGES_MAX => ranges,
        Ports::Any | Ports::These(_) => return inside,
    };
    let mut code = vec![(JA, 0, 0, inside.len() as u32)];
    for at in [0, 2] {
        for &(low, high) in ranges.iter().rev() {
            let behind = code.len() as u8;
            code.splice(0..0, [(JGE, 0, 1, low.into()), (JGT, 0, behind, high.into())]);
        }
        code.insert(0, (LD_HALF_X, 0, 0, at));
    }
    code.extend(inside);
    code
}
