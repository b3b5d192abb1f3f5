//! Which of a packet's addresses a keyword asks about: iprep, geoip.

use crate::decode::{Addr, Packet};

#[derive(Clone, Copy)]
pub enum Side {
    Any,
    Src,
    Dst,
    Both,
}

impl Side {
    pub fn read(text: &str) -> Option<Side> {
        Some(match text {
            "any" => Side::Any,
            "src" => Side::Src,
            "dst" => Side::Dst,
            "both" => Side::Both,
            _ => return None,
        })
    }

    pub fn holds(self, packet: &Packet<'_>, test: impl Fn(Addr) -> bool) -> bool {
        match self {
            Side::Any => test(packet.src) || test(packet.dst),
            Side::Src => test(packet.src),
            Side::Dst => test(packet.dst),
            Side::Both => test(packet.src) && test(packet.dst),
        }
    }
}
