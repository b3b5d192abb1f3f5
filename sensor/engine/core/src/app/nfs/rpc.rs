//! Remote procedure call messages (RFC 5531), and their records on TCP (section 11).

use super::xdr::Reader;

pub const NFS_PROGRAM: u32 = 100_003;
/// Bytes of credentials or of a verifier at most (RFC 5531, section 8.2).
const AUTH_MAX_BYTES: usize = 400;
/// The largest fragment believed: servers move at most 1 MiB of a file at once, but directories may be longer.
pub const FRAGMENT_MAX_BYTES: u32 = 16 << 20;
pub const MARK_LEN: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixCredentials {
    pub machine: Vec<u8>,
    pub uid: u32,
    pub gid: u32,
}

pub struct Call {
    pub program: u32,
    pub version: u32,
    pub procedure: u32,
    pub auth: u32,
    pub unix: Option<UnixCredentials>,
}

pub struct Reply {
    /// The server accepted the call.
    pub accepted: bool,
    /// ... and carried it out: results follow.
    pub success: bool,
}

pub enum Body {
    Call(Call),
    Reply(Reply),
}

pub struct Header {
    pub xid: u32,
    pub body: Body,
}

/// EVE's names of authentication flavours.
pub fn auth_name(flavour: u32) -> Option<&'static str> {
    Some(match flavour {
        0 => "NULL",
        1 => "UNIX",
        2 => "SHORT",
        3 => "DH",
        6 => "RPCSEC_GSS",
        _ => return None,
    })
}

impl Header {
    /// Reads up to the arguments or results; None: no such message.
    pub fn read(reader: &mut Reader<'_>) -> Option<Header> {
        let xid = reader.u32()?;
        let body = match reader.u32()? {
            0 => Body::Call(call(reader)?),
            1 => Body::Reply(reply(reader)?),
            _ => return None,
        };
        Some(Header { xid, body })
    }
}

fn call(reader: &mut Reader<'_>) -> Option<Call> {
    const RPC_VERSION: u32 = 2;
    if reader.u32()? != RPC_VERSION {
        return None;
    }
    let (program, version, procedure) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let auth = reader.u32()?;
    let credentials = reader.short(AUTH_MAX_BYTES)?;
    reader.u32()?;
    reader.short(AUTH_MAX_BYTES)?;
    let unix = if auth == 1 { unix(credentials) } else { None };
    Some(Call { program, version, procedure, auth, unix })
}

/// RFC 5531, appendix A.
fn unix(credentials: &[u8]) -> Option<UnixCredentials> {
    let mut reader = Reader::new(credentials);
    reader.u32()?;
    let machine = reader.opaque()?.to_vec();
    Some(UnixCredentials { machine, uid: reader.u32()?, gid: reader.u32()? })
}

fn reply(reader: &mut Reader<'_>) -> Option<Reply> {
    match reader.u32()? {
        0 => {
            reader.u32()?;
            reader.short(AUTH_MAX_BYTES)?;
            Some(Reply { accepted: true, success: reader.u32()? == 0 })
        }
        1 => Some(Reply { accepted: false, success: false }),
        _ => None,
    }
}

/// Whether `data` can begin a call (Some(true)) or a reply (Some(false)) of NFS; None: neither, or too short to say.
pub fn plausible(data: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(data);
    reader.u32()?;
    match reader.u32()? {
        0 => {
            let (rpc, program, version) = (reader.u32()?, reader.u32()?, reader.u32()?);
            (rpc == 2 && program == NFS_PROGRAM && (2..=4).contains(&version)).then_some(true)
        }
        1 => {
            let (stat, flavour, len) = (reader.u32()?, reader.u32()?, reader.u32()?);
            (stat == 0 && flavour <= 6 && len as usize <= AUTH_MAX_BYTES).then_some(false)
        }
        _ => None,
    }
}
