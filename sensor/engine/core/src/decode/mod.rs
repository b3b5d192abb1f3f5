//! Decode: from a captured frame to a `Packet`, which is offsets into the raw bytes. Allocates nothing per packet.

pub mod packet;

pub use packet::{Addr, Origin, Packet, TcpHeader};
