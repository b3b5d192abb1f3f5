//! The `ether` object: the addresses of one packet, or those seen on a flow (`ethernet` of the output).

use super::{Endpoints, JsonWriter};
use crate::decode::{Addr, Packet};
use crate::direction::Dir;
use crate::flow::{Flow, MacSet};

/// The Ethernet header of the packet that an event is about.
#[derive(Clone, Copy)]
pub struct Ether {
    ethertype: u16,
    src: [u8; 6],
    dst: [u8; 6],
    /// The packet's source, to know whether an event names its ends the same way round.
    from: (Addr, u16),
}

impl Ether {
    /// None for packets without an Ethernet header.
    pub fn of_packet(packet: &Packet<'_>) -> Option<Ether> {
        let &[.., t0, t1] = packet.ether_header()?.first_chunk::<14>()?;
        Some(Ether {
            ethertype: u16::from_be_bytes([t0, t1]),
            src: packet.ether_src()?,
            dst: packet.ether_dst()?,
            from: (packet.src, packet.src_port),
        })
    }

    /// The first addresses seen on a flow, for what is told at its end.
    pub fn of_ends(flow: &Flow) -> Option<Ether> {
        const IPV4: u16 = 0x0800;
        const IPV6: u16 = 0x86dd;
        let macs = flow.macs.as_deref()?;
        let first = |set: &MacSet| set.as_slice().first().copied();
        Some(Ether {
            ethertype: if flow.ip_version == 6 { IPV6 } else { IPV4 },
            src: first(&macs.client)?,
            dst: first(&macs.server)?,
            from: (flow.src, flow.src_port),
        })
    }

    /// Writes the object, its addresses the way round of `ends`.
    pub(super) fn write(&self, out: &mut JsonWriter, ends: &Endpoints, version: u64) {
        let turned = (ends.src, ends.src_port) != self.from && (ends.dst, ends.dst_port) == self.from;
        let (src, dst) = if turned { (self.dst, self.src) } else { (self.src, self.dst) };
        out.open_object("ether");
        if version >= 8 {
            out.uint("ether_type", u64::from(self.ethertype));
        }
        mac(out, "src_mac", src);
        mac(out, "dest_mac", dst);
        out.close();
    }
}

/// Writes the addresses seen on a flow, where they were kept; `dir`: from which end.
pub(super) fn of_flow(out: &mut JsonWriter, flow: &Flow, dir: Dir) {
    let Some(macs) = flow.macs.as_deref() else { return };
    let (src, dst) = match dir {
        Dir::ToServer => (&macs.client, &macs.server),
        Dir::ToClient => (&macs.server, &macs.client),
    };
    if src.as_slice().is_empty() && dst.as_slice().is_empty() {
        return;
    }
    out.open_object("ether");
    for (key, set) in [("dest_macs", dst), ("src_macs", src)] {
        out.open_array(key);
        for [a, b, c, d, e, f] in set.as_slice() {
            out.item_fmt(format_args!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"));
        }
        out.close_array();
    }
    out.close();
}

pub(super) fn mac(out: &mut JsonWriter, key: &str, [a, b, c, d, e, f]: [u8; 6]) {
    out.fmt(key, format_args!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"));
}
