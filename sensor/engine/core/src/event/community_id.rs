//! Community ID version 1: a flow hash that other tools compute alike (public specification, version 1).

use super::Endpoints;
use crate::base64;
use sha1::{Digest, Sha1};

/// "1:" and the base64 of SHA-1 over seed, ordered addresses, protocol and ports.
pub fn of(ends: &Endpoints, seed: u16) -> String {
    let (mut a, mut b) = ((ends.src, ends.src_port), (ends.dst, ends.dst_port));
    let mut one_way = false;
    if let Some((kind, code)) = ends.icmp {
        let (kind_out, code_out, answered) = icmp_ports(ends.ip_version, kind, code);
        (a.1, b.1) = (kind_out, code_out);
        one_way = !answered;
    }
    if !one_way && (b.0, b.1) < (a.0, a.1) {
        std::mem::swap(&mut a, &mut b);
    }
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    for (addr, _) in [a, b] {
        if ends.ip_version == 4 {
            hash.update((addr.0 as u32).to_be_bytes());
        } else {
            hash.update(addr.0.to_be_bytes());
        }
    }
    hash.update([ends.proto, 0]);
    if ends.has_ports() || ends.icmp.is_some() {
        hash.update(a.1.to_be_bytes());
        hash.update(b.1.to_be_bytes());
    }
    format!("1:{}", base64::encode(&hash.finalize()))
}

/// The pair of numbers that stands for ports: type and the type of its answer, or type and code when it has none.
fn icmp_ports(version: u8, kind: u8, code: u8) -> (u16, u16, bool) {
    const V4: [(u8, u8); 5] = [(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)];
    const V6: [(u8, u8); 5] = [(128, 129), (133, 134), (135, 136), (130, 131), (144, 145)];
    for (ask, answer) in if version == 4 { V4 } else { V6 } {
        if kind == ask {
            return (u16::from(ask), u16::from(answer), true);
        }
        if kind == answer {
            return (u16::from(answer), u16::from(ask), true);
        }
    }
    (u16::from(kind), u16::from(code), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Addr;

    #[test]
    fn agrees_with_the_published_example() {
        let ends = Endpoints {
            src: Addr::v4([128, 232, 110, 120]),
            dst: Addr::v4([66, 35, 250, 204]),
            src_port: 34855,
            dst_port: 80,
            ip_version: 4,
            proto: 6,
            icmp: None,
        };
        assert_eq!(of(&ends, 0), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    }
}
