//! ClientHello and ServerHello (RFC 8446 section 4.1, RFC 5246 section 7.4.1, SSLv2 hello of RFC 5246 appendix E.2).
//! Takes one whole message apart; must not know records or flows.

use super::Event;

pub const EXT_SERVER_NAME: u16 = 0;
const EXT_GROUPS: u16 = 10;
const EXT_POINT_FORMATS: u16 = 11;
pub const EXT_SIGNATURE_ALGORITHMS: u16 = 13;
pub const EXT_ALPN: u16 = 16;
const EXT_SESSION_TICKET: u16 = 35;
pub const EXT_VERSIONS: u16 = 43;

/// Bytes of a hello's random.
pub const RANDOM_LEN: usize = 32;

/// A cursor over wire bytes; every step is checked.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
    pub fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }
    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }
    pub fn u24(&mut self) -> Option<usize> {
        match *self.take(3)? {
            [a, b, c] => Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)),
            _ => None,
        }
    }
    /// A vector with a length of one byte before it.
    pub fn vec8(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }
    /// A vector with a length of two bytes before it.
    pub fn vec16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}

/// The 16-bit numbers of a vector; an odd byte at the end is dropped.
fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).filter_map(|c| c.try_into().ok()).map(u16::from_be_bytes).collect()
}

/// What both hellos have.
#[derive(Debug, Default)]
pub struct Hello {
    /// `legacy_version`.
    pub version: u16,
    pub random: [u8; RANDOM_LEN],
    pub session_id: Vec<u8>,
    /// Offered by the client, in its order; the one chosen by the server.
    pub ciphers: Vec<u16>,
    /// Extension types in order, GREASE included.
    pub extensions: Vec<u16>,
    pub groups: Vec<u16>,
    pub point_formats: Vec<u8>,
    pub signature_algorithms: Vec<u16>,
    /// `supported_versions`; of a server the chosen one.
    pub versions: Vec<u16>,
    pub alpns: Vec<Vec<u8>>,
    pub sni: Option<Vec<u8>>,
    /// The session ticket extension is there.
    pub ticket: bool,
    /// Read from an SSLv2 record.
    pub sslv2: bool,
}

impl Hello {
    /// The body of a ClientHello. What is malformed is reported through `event`; None when the fixed part is cut.
    pub fn client(body: &[u8], event: &mut dyn FnMut(Event)) -> Option<Hello> {
        let mut r = Reader(body);
        let mut hello = Hello::start(&mut r)?;
        hello.ciphers = numbers(r.vec16()?);
        r.vec8()?; // compression methods
        hello.extensions(&mut r, true, event);
        Some(hello)
    }

    /// The body of a ServerHello.
    pub fn server(body: &[u8], event: &mut dyn FnMut(Event)) -> Option<Hello> {
        let mut r = Reader(body);
        let version = Reader(body).u16()?;
        let mut hello = if is_early_draft(version) {
            // Drafts up to 21 have neither session id nor compression method in a TLS 1.3 ServerHello.
            Hello { version: r.u16()?, random: r.take(RANDOM_LEN)?.try_into().ok()?, ..Hello::default() }
        } else {
            Hello::start(&mut r)?
        };
        hello.ciphers = vec![r.u16()?];
        if !is_early_draft(version) {
            r.u8()?; // compression method
        }
        hello.extensions(&mut r, false, event);
        Some(hello)
    }

    /// The body of an SSLv2 ClientHello, behind its type byte.
    pub fn client_v2(body: &[u8]) -> Option<Hello> {
        let mut r = Reader(body);
        let version = r.u16()?;
        let (ciphers, session, challenge) = (r.u16()?, r.u16()?, r.u16()?);
        let ciphers = r.take(usize::from(ciphers))?;
        let session_id = r.take(usize::from(session))?.to_vec();
        let challenge = r.take(usize::from(challenge))?;
        let mut random = [0u8; RANDOM_LEN];
        // Right-aligned, as RFC 5246 appendix E.2 says.
        for (to, from) in random.iter_mut().rev().zip(challenge.iter().rev()) {
            *to = *from;
        }
        // A TLS suite is written as 0 and its two bytes.
        let ciphers = ciphers
            .chunks_exact(3)
            .filter_map(|c| match *c {
                [0, a, b] => Some(u16::from_be_bytes([a, b])),
                _ => None,
            })
            .collect();
        Some(Hello { version, random, session_id, ciphers, sslv2: true, ..Hello::default() })
    }

    fn start(r: &mut Reader<'_>) -> Option<Hello> {
        Some(Hello {
            version: r.u16()?,
            random: r.take(RANDOM_LEN)?.try_into().ok()?,
            session_id: r.vec8()?.to_vec(),
            ..Hello::default()
        })
    }

    fn extensions(&mut self, r: &mut Reader<'_>, client: bool, event: &mut dyn FnMut(Event)) {
        if r.0.is_empty() {
            return; // Before TLS 1.2 a hello may end here.
        }
        let Some(all) = r.vec16() else {
            return event(Event::HandshakeInvalidLength);
        };
        let mut all = Reader(all);
        while !all.0.is_empty() {
            let (Some(kind), Some(body)) = (all.u16(), all.vec16()) else {
                return event(Event::HandshakeInvalidLength);
            };
            self.extensions.push(kind);
            let mut body = Reader(body);
            match kind {
                EXT_SERVER_NAME if client => self.server_name(body, event),
                EXT_GROUPS => self.groups = numbers(body.vec16().unwrap_or_default()),
                EXT_POINT_FORMATS => self.point_formats = body.vec8().unwrap_or_default().to_vec(),
                EXT_SIGNATURE_ALGORITHMS => {
                    self.signature_algorithms = numbers(body.vec16().unwrap_or_default());
                }
                EXT_ALPN => {
                    let mut list = Reader(body.vec16().unwrap_or_default());
                    while let Some(name) = list.vec8() {
                        self.alpns.push(name.to_vec());
                    }
                }
                EXT_SESSION_TICKET => self.ticket = true,
                EXT_VERSIONS if client => self.versions = numbers(body.vec8().unwrap_or_default()),
                EXT_VERSIONS => self.versions = numbers(body.0),
                _ => {}
            }
        }
    }

    /// RFC 6066 section 3. Several extensions are an event; the first name stays.
    fn server_name(&mut self, mut body: Reader<'_>, event: &mut dyn FnMut(Event)) {
        if self.sni.is_some() {
            return event(Event::MultipleSniExtensions);
        }
        if body.0.is_empty() {
            return;
        }
        let list = body.vec16();
        let Some(mut list) = list.map(Reader) else {
            return event(Event::InvalidSniLength);
        };
        match list.u8() {
            Some(0) => {}
            Some(_) => return event(Event::InvalidSniType),
            None => return event(Event::InvalidSniLength),
        }
        match list.vec16() {
            Some(name) if name.len() <= SNI_MAX => self.sni = Some(name.to_vec()),
            _ => event(Event::InvalidSniLength),
        }
    }
}

/// Longest server name: that of a DNS name (RFC 1035 section 2.3.4).
pub const SNI_MAX: usize = 255;

fn is_early_draft(version: u16) -> bool {
    version == TLS13 || (0x7f00..=0x7f15).contains(&version)
}

pub const TLS13: u16 = 0x0304;

/// Version numbers reserved by RFC 8701 so that nobody relies on a closed set; the same for suites, extensions and groups.
pub fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}
