//! Who logs on: the GSS-API token of a session setup (RFC 4178, RFC 4121) with NTLMSSP (MS-NLMP) or a Kerberos ticket (RFC 4120)
//! inside.

use crate::app::wire::Reader;

/// What an NTLMSSP AUTHENTICATE message names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ntlmssp {
    pub domain: Vec<u8>,
    pub user: Vec<u8>,
    pub host: Vec<u8>,
    /// Major, minor, build and revision of the client's system, when it tells.
    pub version: Option<(u8, u8, u16, u8)>,
}

/// Service a Kerberos ticket is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    pub realm: Vec<u8>,
    pub names: Vec<Vec<u8>>,
}

/// What a token says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logon {
    pub ntlmssp: Option<Ntlmssp>,
    pub ticket: Option<Ticket>,
    /// An NTLMSSP message that contradicts itself, or whose fields stand in no usual order.
    pub malformed: bool,
    pub unusual: bool,
}

const SIGNATURE: &[u8] = b"NTLMSSP\0";
const AUTHENTICATE: u32 = 3;
const NEGOTIATE_VERSION: u32 = 0x0200_0000;

/// Reads the token of a session setup request.
pub fn read(token: &[u8]) -> Logon {
    let mut logon = Logon::default();
    let mech = mech_token(token).unwrap_or(token);
    if mech.starts_with(SIGNATURE) {
        if Reader::new(mech.get(SIGNATURE.len()..).unwrap_or_default(), true).u32() != Some(AUTHENTICATE) {
            return logon;
        }
        match ntlmssp(mech) {
            Some((found, unusual)) => {
                logon.ntlmssp = Some(found);
                logon.unusual = unusual;
            }
            None => logon.malformed = true,
        }
    } else {
        logon.ticket = ticket(mech);
    }
    logon
}

/// The AUTHENTICATE message (MS-NLMP 2.2.1.3), and whether its payload stands in an unusual order.
fn ntlmssp(message: &[u8]) -> Option<(Ntlmssp, bool)> {
    let mut reader = Reader::new(message, true);
    reader.skip(12 + 16)?;
    let mut field = || {
        let len = usize::from(reader.u16()?);
        reader.skip(2)?;
        let at = usize::try_from(reader.u32()?).ok()?;
        let bytes = if len == 0 { &[][..] } else { message.get(at..at.checked_add(len)?)? };
        Some((at, bytes))
    };
    let (domain, user, host) = (field()?, field()?, field()?);
    reader.skip(8)?;
    let flags = reader.u32()?;
    let version = (flags & NEGOTIATE_VERSION != 0)
        .then(|| {
            let (major, minor, build) = (reader.u8()?, reader.u8()?, reader.u16()?);
            reader.skip(3)?;
            Some((major, minor, build, reader.u8()?))
        })
        .flatten();
    let text = |(_, bytes): (usize, &[u8])| without_nulls(bytes);
    let found = Ntlmssp { domain: text(domain), user: text(user), host: text(host), version };
    Some((found, !(domain.0 <= user.0 && user.0 <= host.0)))
}

/// UTF-16 as Suricata shows it: its zero bytes left out.
pub fn without_nulls(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|b| *b != 0).collect()
}

/// One DER element: (tag, content, what follows). High tag numbers do not occur here.
fn element(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let mut reader = Reader::new(data, false);
    let tag = reader.u8()?;
    let len = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16()?),
        0x83 => usize::from(reader.u8()?) << 16 | usize::from(reader.u16()?),
        _ => return None,
    };
    // A token cut short still shows its first elements.
    let content = reader.rest().get(..len).unwrap_or(reader.rest());
    Some((tag, content, reader.rest().get(len..).unwrap_or_default()))
}

/// The content of the first element with this tag among those in `data`.
fn find(mut data: &[u8], wanted: u8) -> Option<&[u8]> {
    const ELEMENTS_MAX: usize = 32; // of one sequence; those of tokens and tickets have fewer
    for _ in 0..ELEMENTS_MAX {
        let (tag, content, rest) = element(data)?;
        if tag == wanted {
            return Some(content);
        }
        data = rest;
    }
    None
}

/// The mechanism's token inside of SPNEGO: mechToken of NegTokenInit, or responseToken of NegTokenResp.
fn mech_token(token: &[u8]) -> Option<&[u8]> {
    const INIT: u8 = 0xa0;
    const RESPONSE: u8 = 0xa1;
    const SEQUENCE: u8 = 0x30;
    const FIELD_2: u8 = 0xa2;
    const OCTETS: u8 = 0x04;
    let (tag, content, _) = element(token)?;
    let choice = match tag {
        0x60 => find(content, INIT)?,
        RESPONSE => content,
        _ => return None,
    };
    find(find(find(choice, SEQUENCE)?, FIELD_2)?, OCTETS)
}

/// The ticket in the AP-REQ of a Kerberos token.
fn ticket(token: &[u8]) -> Option<Ticket> {
    const AP_REQ: u8 = 0x6e;
    const TICKET: u8 = 0x61;
    const SEQUENCE: u8 = 0x30;
    const NAMES_MAX: usize = 8; // a service name has two parts, seldom three
    let (tag, mut content, _) = element(token)?;
    if tag != 0x60 {
        return None;
    }
    // The mechanism's name, then the token's id, which is no element.
    let (_, _, rest) = element(content)?;
    content = rest.get(2..)?;
    let request = find(find(content, AP_REQ)?, SEQUENCE)?;
    let ticket = find(find(find(request, 0xa3)?, TICKET)?, SEQUENCE)?;
    let (_, realm, _) = element(find(ticket, 0xa1)?)?;
    let name = find(find(ticket, 0xa2)?, SEQUENCE)?;
    let mut parts = find(find(name, 0xa1)?, SEQUENCE)?;
    let mut names = Vec::new();
    while let Some((_, part, rest)) = element(parts).filter(|_| names.len() < NAMES_MAX) {
        names.push(part.to_vec());
        parts = rest;
    }
    Some(Ticket { realm: realm.to_vec(), names })
}
