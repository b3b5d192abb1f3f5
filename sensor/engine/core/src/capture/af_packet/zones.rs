//! Exclusion zones in classic BPF: networks and VLANs, on the wire and one tunnel below.
//!
//! The program walks once through the frame. Below tags, PPPoE and MPLS it takes the addresses of the first IP header (or ARP); below
//! that, of the packet in IPv4, IPv6, GRE, ERSPAN, VXLAN, Geneve or Teredo, unless the header in between is a fragment's or an IPv6
//! extension. What lies deeper the worker sees (`worker::zones`).

use super::program::{
    if_any, room, set, skip, when, Network, ADD_X, AND, ARP, IPV4, IPV6, JA, JEQ, LDX_IMM, LD_BYTE_X,
    LD_HALF, LD_HALF_X, LD_IMM, LD_MEM, LD_WORD, LD_WORD_X, LSH, RET, ST, TAGS, TAX, VLAN_ID, VLAN_TAG,
    VLAN_TAG_PRESENT,
};
use super::tunnels::transport;
use crate::capture::bpf::Instruction;
use crate::decode::Config;

/// Words of the program's memory: the kind of what X points to, the protocol behind an IP header, one for now, whether there are
/// IPv4 addresses, the two of the outer header and the two of the inner (the same where there is but one), and the kind of what is
/// in a tunnel.
const KIND: u32 = 0;
pub(super) const PROTOCOL: u32 = 1;
pub(super) const NOW: u32 = 2;
const HAS_V4: u32 = 3;
const OUTER: [u32; 2] = [4, 5];
const INNER: [u32; 2] = [6, 7];
pub(super) const IN_TUNNEL: u32 = 8;

const PPPOE: u32 = 0x8864;
const MPLS: [u32; 2] = [0x8847, 0x8848];
const LABELS_MAX: usize = 4;

/// Ends with the verdict when the frame (from its Ethernet header on) lies in a zone; else goes on behind its end.
pub(super) fn zones(networks: &[Network], vlans: &[u16], tunnels: &Config, verdict: u32) -> Vec<Instruction> {
    let vlan_tests = vlan_tests(vlans, verdict);
    let mut code = vec![(LD_IMM, 0, 0, 0)];
    code.extend((KIND..=IN_TUNNEL).map(|word| (ST, 0, 0, word)));
    if !vlans.is_empty() {
        // The kernel takes the outermost tag off the frame.
        let mut tests = vec![(LD_WORD, 0, 0, VLAN_TAG), (AND, 0, 0, VLAN_ID)];
        tests.extend(&vlan_tests);
        code.extend([(LD_WORD, 0, 0, VLAN_TAG_PRESENT), (JEQ, 0, 1, 0), (JA, 0, 0, tests.len() as u32)]);
        code.extend(tests);
    }
    code.extend([(LDX_IMM, 0, 0, 14), (LD_HALF, 0, 0, 12), (ST, 0, 0, KIND)]);
    code.extend(tags(KIND, &vlan_tests));
    code.extend(point_to_point());
    code.extend((0..LABELS_MAX).flat_map(|_| label()));
    let v6_tests = v6_tests(networks, verdict);
    let v4 = [addresses([12, 16], false), behind_v4(transport(tunnels))].concat();
    let v6 = [v6_tests.clone(), behind_v6(transport(tunnels))].concat();
    code.extend(when(KIND, &[IPV4], room(20, v4)));
    code.extend(when(KIND, &[IPV6], room(40, v6)));
    code.extend(when(KIND, &[ARP], room(28, addresses([14, 24], false))));
    code.extend(tags(IN_TUNNEL, &vlan_tests));
    code.extend(when(IN_TUNNEL, &[IPV4], room(20, addresses([12, 16], true))));
    code.extend(when(IN_TUNNEL, &[IPV6], room(40, v6_tests)));
    code.extend(when(IN_TUNNEL, &[ARP], room(28, addresses([14, 24], true))));
    code.extend(when(HAS_V4, &[1], v4_tests(networks, verdict)));
    code
}

fn vlan_tests(vlans: &[u16], verdict: u32) -> Vec<Instruction> {
    let tests: Vec<_> = vlans.iter().map(|vlan| vec![(JEQ, 0, 0, u32::from(*vlan))]).collect();
    ends_if_any(&tests, verdict)
}

fn v4_tests(networks: &[Network], verdict: u32) -> Vec<Instruction> {
    let of_v4 = networks.iter().filter(|one| !one.is_v6()).flat_map(|one| one.words());
    let places = [OUTER, INNER].concat();
    let test = |(value, mask): &(u32, u32), place| {
        vec![(LD_MEM, 0, 0, place), (AND, 0, 0, *mask), (JEQ, 0, 0, *value)]
    };
    let tests: Vec<_> =
        of_v4.flat_map(|network| places.iter().map(move |place| test(network, *place))).collect();
    ends_if_any(&tests, verdict)
}

/// Ends with the verdict when one of the tests, each up to three instructions with a comparison at the end, holds.
fn ends_if_any(tests: &[Vec<Instruction>], verdict: u32) -> Vec<Instruction> {
    const AT_ONCE: usize = 80; // a comparison jumps over 255 instructions at most
    let mut code: Vec<Instruction> = Vec::new();
    for some in tests.chunks(AT_ONCE) {
        let mut left = some.iter().map(Vec::len).sum::<usize>() as u8;
        for test in some {
            left = left.saturating_sub(test.len() as u8);
            code.extend(test);
            if let Some((_, jt, ..)) = code.last_mut() {
                *jt = left.saturating_add(1);
            }
        }
        code.extend([(JA, 0, 0, 1), (RET, 0, 0, verdict)]);
    }
    code
}

fn v6_tests(networks: &[Network], verdict: u32) -> Vec<Instruction> {
    let of_v6 = networks.iter().filter(|network| network.is_v6());
    of_v6.flat_map(|network| [8, 24].map(|at| network.test(at, verdict))).flatten().collect()
}

/// Goes past up to two tags; `kind` is the word that says what X points to.
fn tags(kind: u32, vlan_tests: &[Instruction]) -> Vec<Instruction> {
    let mut inside = Vec::new();
    if !vlan_tests.is_empty() {
        inside.extend([(LD_HALF_X, 0, 0, 0), (AND, 0, 0, VLAN_ID)]);
        inside.extend(vlan_tests);
    }
    inside.extend([(LD_HALF_X, 0, 0, 2), (ST, 0, 0, kind)]);
    inside.extend(skip(4));
    let one = when(kind, &TAGS, room(4, inside));
    [one.clone(), one].concat()
}

/// PPPoE (RFC 2516) with IP in it.
fn point_to_point() -> Vec<Instruction> {
    let mut inside = vec![(LD_HALF_X, 0, 0, 6), (ST, 0, 0, NOW)];
    inside.extend(skip(8));
    inside.extend(when(NOW, &[0x21], set(KIND, IPV4)));
    inside.extend(when(NOW, &[0x57], set(KIND, IPV6)));
    when(KIND, &[PPPOE], room(8, inside))
}

/// One MPLS label (RFC 3032); behind the last one is IP, or what is not looked at.
fn label() -> Vec<Instruction> {
    let mut last = vec![(LD_BYTE_X, 0, 0, 0), (AND, 0, 0, 0xf0), (ST, 0, 0, NOW)];
    last.extend(set(KIND, 0));
    last.extend(when(NOW, &[0x40], set(KIND, IPV4)));
    last.extend(when(NOW, &[0x60], set(KIND, IPV6)));
    let mut inside = vec![(LD_BYTE_X, 0, 0, 2), (AND, 0, 0, 1), (ST, 0, 0, NOW)];
    inside.extend(skip(4));
    inside.extend(when(NOW, &[1], room(1, last)));
    when(KIND, &MPLS, room(4, inside))
}

/// Keeps the IPv4 addresses at these places behind X.
fn addresses(places: [u32; 2], is_inner: bool) -> Vec<Instruction> {
    let mut code = Vec::new();
    for (at, (outer, inner)) in places.into_iter().zip(OUTER.into_iter().zip(INNER)) {
        code.extend([(LD_WORD_X, 0, 0, at), (ST, 0, 0, inner)]);
        match is_inner {
            true => code.extend(when(HAS_V4, &[0], vec![(LD_MEM, 0, 0, inner), (ST, 0, 0, outer)])),
            false => code.push((ST, 0, 0, outer)),
        }
    }
    code.extend(set(HAS_V4, 1));
    code
}

/// `inside` with X behind an IPv4 header that no fragment but a first one has.
fn behind_v4(inside: Vec<Instruction>) -> Vec<Instruction> {
    let mut code = vec![(LD_BYTE_X, 0, 0, 9), (ST, 0, 0, PROTOCOL), (LD_BYTE_X, 0, 0, 0), (AND, 0, 0, 0x0f)];
    code.extend([(LSH, 0, 0, 2), (ADD_X, 0, 0, 0), (TAX, 0, 0, 0)]);
    code.extend(inside);
    [vec![(LD_HALF_X, 0, 0, 6), (AND, 0, 0, 0x1fff)], if_any(&[0], code)].concat()
}

fn behind_v6(inside: Vec<Instruction>) -> Vec<Instruction> {
    let code = vec![(LD_BYTE_X, 0, 0, 6), (ST, 0, 0, PROTOCOL)];
    [code, skip(40), inside].concat()
}

#[cfg(test)]
mod tests {
    use super::super::program::{Programs, LD_IMM, VLAN_TAG_PRESENT};
    use crate::capture::bpf::{self, Instruction};
    use crate::decode::Config;
    use proptest::prelude::*;

    fn programs(zones: &[&str], vlans: &[u16]) -> Programs {
        let zones: Vec<String> = zones.iter().map(|zone| (*zone).to_owned()).collect();
        Programs::new(&zones, vlans, &Config::default(), &[]).unwrap()
    }

    /// Runs it as for a frame of which the kernel took no tag off: what it keeps beside a frame is not known here.
    fn admits(program: &[Instruction], frame: &[u8]) -> bool {
        let known = |one: &Instruction| if one.3 == VLAN_TAG_PRESENT { (LD_IMM, 0, 0, 0) } else { *one };
        let program: Vec<Instruction> = program.iter().map(known).collect();
        bpf::check(&program).unwrap();
        bpf::run(&program, frame, frame.len() as u32) != 0
    }

    fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
        [&[2; 12][..], &kind.to_be_bytes(), payload].concat()
    }

    fn v4(protocol: u8, last: u8, payload: &[u8]) -> Vec<u8> {
        let len = (20 + payload.len()) as u16;
        let mut header = vec![0x45, 0];
        header.extend(len.to_be_bytes());
        header.extend([0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, last, 198, 51, 100, 1]);
        [header, payload.to_vec()].concat()
    }

    fn v6(next: u8, last: u8, payload: &[u8]) -> Vec<u8> {
        let mut header = vec![0x60, 0, 0, 0];
        header.extend((payload.len() as u16).to_be_bytes());
        header.extend([next, 64]);
        let mut address = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        header.extend(address);
        address[15] = last;
        header.extend(address);
        [header, payload.to_vec()].concat()
    }

    fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
        let mut header = vec![0x12, 0x34];
        header.extend(port.to_be_bytes());
        header.extend([0, 0, 0, 0]);
        [header, payload.to_vec()].concat()
    }

    /// Tunnels with what lies in them, by name: an IPv4 packet, or an IPv6 packet.
    fn tunnels(inner4: &[u8], inner6: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let join = |parts: &[&[u8]]| parts.concat();
        let bridged = ethernet(0x0800, inner4);
        let in_v4 = |protocol, payload: &[u8]| ethernet(0x0800, &v4(protocol, 1, payload));
        let gre = |head: &[u8], payload: &[u8]| in_v4(47, &join(&[head, payload]));
        let vxlan = |frame: &[u8]| in_v4(17, &udp(4789, &join(&[&[8, 0, 0, 0, 0, 0, 7, 0], frame])));
        let geneve = |kind: [u8; 2], payload: &[u8]| {
            in_v4(17, &udp(6081, &join(&[&[1, 0, kind[0], kind[1], 0, 0, 7, 0, 9, 9, 9, 9], payload])))
        };
        vec![
            ("IPv4 in IPv4", in_v4(4, inner4)),
            ("IPv6 in IPv4", in_v4(41, inner6)),
            ("IPv4 in IPv6", ethernet(0x86dd, &v6(4, 1, inner4))),
            ("IPv6 in IPv6", ethernet(0x86dd, &v6(41, 1, inner6))),
            ("GRE", gre(&[0, 0, 8, 0], inner4)),
            ("GRE, all options", gre(&[0xb0, 0, 0x86, 0xdd, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3], inner6)),
            ("GRE, bridged", gre(&[0x20, 0, 0x65, 0x58, 1, 1, 1, 1], &bridged)),
            ("GRE in IPv6", ethernet(0x86dd, &v6(47, 1, &join(&[&[0, 0, 8, 0], inner4])))),
            ("ERSPAN I", gre(&[0, 0, 0x88, 0xbe], &bridged)),
            ("ERSPAN II", gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 0, 0, 0, 0, 0], &bridged)),
            ("ERSPAN III", {
                let head = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                gre(&head, &bridged)
            }),
            ("VXLAN", vxlan(&bridged)),
            ("VXLAN, tagged", vxlan(&join(&[&[2; 12], &[0x81, 0, 0, 5, 8, 0], inner4]))),
            ("VXLAN, IPv6", vxlan(&ethernet(0x86dd, inner6))),
            ("Geneve", geneve([0x65, 0x58], &bridged)),
            ("Geneve, IP", geneve([0x08, 0], inner4)),
            ("Teredo", in_v4(17, &udp(3544, inner6))),
            ("Teredo, origin", in_v4(17, &udp(3544, &join(&[&[0; 8], inner6])))),
            ("PPPoE", ethernet(0x8864, &join(&[&[0x11, 0, 0, 1, 0, 30, 0, 0x21], inner4]))),
            ("MPLS", ethernet(0x8847, &join(&[&[0, 1, 0, 64, 0, 1, 1, 64], inner4]))),
            ("MPLS, IPv6", ethernet(0x8847, &join(&[&[0, 1, 1, 64], inner6]))),
            ("two tags", join(&[&[2; 12], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0], inner4])),
        ]
    }

    #[test]
    fn zones_hold_in_tunnels() {
        let programs = programs(&["192.0.2.7", "2001:db8::7/128"], &[]);
        let (excluded, capture) = (programs.excluded.unwrap(), programs.capture);
        for (last, is_inside) in [(7, true), (8, false)] {
            for (name, frame) in tunnels(&v4(6, last, &[0; 20]), &v6(6, last, &[0; 20])) {
                for (program, wanted) in [(&excluded, is_inside), (&capture, !is_inside)] {
                    assert_eq!(admits(program, &frame), wanted, "{name}, .{last}");
                }
            }
        }
        // The outer header of a tunnel counts as before.
        let outer = ethernet(0x0800, &v4(4, 7, &v4(6, 8, &[0; 20])));
        assert!(!admits(&capture, &outer));
    }

    #[test]
    fn vlans_hold_in_tunnels_and_fragments_are_not_taken_for_tunnels() {
        let excluded = programs(&["192.0.2.7"], &[5]).excluded.unwrap();
        let tagged = tunnels(&v4(6, 1, &[0; 20]), &v6(6, 1, &[0; 20]));
        let of = |wanted: &str| tagged.iter().find(|(name, _)| *name == wanted).unwrap().1.clone();
        for (name, is_inside) in [("VXLAN, tagged", true), ("two tags", true), ("VXLAN", false)] {
            let frame = of(name);
            assert_eq!(admits(&excluded, &frame), is_inside, "{name}");
        }
        let mut fragment = ethernet(0x0800, &v4(4, 1, &v4(6, 7, &[0; 20])));
        assert!(admits(&excluded, &fragment));
        fragment[21] = 9;
        assert!(!admits(&excluded, &fragment));
    }

    /// What is cut short anywhere, or damaged, is captured or excluded, and never neither: then it would be counted nowhere.
    fn is_on_one_side(programs: &Programs, frame: &[u8]) -> bool {
        let excluded = programs.excluded.as_ref().is_some_and(|program| admits(program, frame));
        admits(&programs.capture, frame) != excluded
    }

    #[test]
    fn every_cut_frame_is_on_one_side() {
        let programs = programs(&["192.0.2.7", "2001:db8::7/128"], &[5, 9]);
        for last in [7, 8] {
            for (name, frame) in tunnels(&v4(6, last, &[0; 20]), &v6(6, last, &[0; 20])) {
                for len in 14..=frame.len() {
                    assert!(is_on_one_side(&programs, &frame[..len]), "{name}, {len} bytes");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_frame_is_on_one_side(pick in 0usize..22, cut in 0usize..200, at in 12usize..120, byte: u8) {
            let programs = programs(&["192.0.2.7", "2001:db8::7/128", "198.51.0.0/16"], &[5, 9]);
            let mut frame = tunnels(&v4(6, 7, &[0; 20]), &v6(6, 7, &[0; 20])).swap_remove(pick).1;
            if let Some(place) = frame.get_mut(at) {
                *place = byte;
            }
            frame.truncate(cut.max(14));
            prop_assert!(is_on_one_side(&programs, &frame));
        }
    }
}
