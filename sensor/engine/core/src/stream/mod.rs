//! Stream: TCP sequence space, overlap policy, depth, gaps. Knows no protocols.

/// Both sides of a TCP connection.
#[derive(Default)]
pub struct TcpSession {}
