//! Messages of the client ("Message Formats", frontend).

use crate::json::JsonWriter;

/// Codes of the untyped first message.
pub mod start {
    pub const VERSION_3: u32 = 3;
    pub const CANCEL: u32 = 80_877_102;
    pub const SSL: u32 = 80_877_103;
    pub const GSS_ENCRYPTION: u32 = 80_877_104;
}
/// Longest first message a server reads (MAX_STARTUP_PACKET_LENGTH of PostgreSQL).
pub const START_LEN_MAX: u32 = 10_000;
/// Parameters kept of one start-up message; clients send fewer than ten.
const PARAMETERS_MAX: usize = 64;

/// Whether length and code are those of a first message.
pub fn is_start(len: u32, code: u32) -> bool {
    match code {
        start::SSL | start::GSS_ENCRYPTION => len == 8,
        start::CANCEL => len == 16,
        code => code >> 16 == start::VERSION_3 && (8..=START_LEN_MAX).contains(&len),
    }
}

/// Types of the messages behind the first.
pub fn is_type(kind: u8) -> bool {
    b"BCDEFHPQSXcdfp".contains(&kind)
}

/// A request, as far as its record tells of it.
pub enum Request {
    Ssl,
    GssEncryption,
    Cancel {
        process_id: u32,
        secret_key: u32,
    },
    Start {
        version: u32,
        user: Vec<u8>,
        parameters: Vec<(String, Vec<u8>)>,
    },
    Password(Vec<u8>),
    SaslInitial {
        mechanism: Vec<u8>,
        data: Vec<u8>,
    },
    SaslResponse(Vec<u8>),
    Query(Vec<u8>),
    /// Data for `COPY ... FROM STDIN`: messages and bytes.
    CopyData {
        messages: u64,
        bytes: u64,
    },
    Terminate,
    /// The answer came without one.
    None,
}

impl Request {
    /// The first message of a connection, from its length on. None: it is none.
    pub fn read_start(data: &[u8]) -> Option<Request> {
        let (code, rest) = data.get(4..)?.split_first_chunk::<4>()?;
        Some(match u32::from_be_bytes(*code) {
            start::SSL => Request::Ssl,
            start::GSS_ENCRYPTION => Request::GssEncryption,
            start::CANCEL => {
                let (process, rest) = rest.split_first_chunk::<4>()?;
                let (key, _) = rest.split_first_chunk::<4>()?;
                Request::Cancel {
                    process_id: u32::from_be_bytes(*process),
                    secret_key: u32::from_be_bytes(*key),
                }
            }
            version => {
                let mut user = Vec::new();
                let mut parameters = Vec::new();
                let mut texts = rest.split(|b| *b == 0);
                while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
                    if name.is_empty() || parameters.len() >= PARAMETERS_MAX {
                        break;
                    }
                    if name == b"user" {
                        user = value.to_vec();
                    } else {
                        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                        parameters.push((name, value.to_vec()));
                    }
                }
                Request::Start { version, user, parameters }
            }
        })
    }

    /// Writes the members of the `request` object.
    pub fn log(&self, passwords: bool, out: &mut JsonWriter) {
        match self {
            Request::Ssl => out.str("message", "SSL Request"),
            Request::GssEncryption => out.str("message", "GSS Encryption Request"),
            Request::Cancel { process_id, secret_key } => {
                out.str("message", "cancel_request");
                out.uint("process_id", u64::from(*process_id));
                out.uint("secret_key", u64::from(*secret_key));
            }
            Request::Start { version, user, parameters } => {
                out.fmt("protocol_version", format_args!("{}.{}", version >> 16, version & 0xffff));
                out.open_object("startup_parameters");
                out.bytes("user", user);
                if !parameters.is_empty() {
                    out.open_array("optional_parameters");
                    for (name, value) in parameters {
                        out.open();
                        member(out, name, value);
                        out.close();
                    }
                    out.close_array();
                }
                out.close();
            }
            Request::Password(text) if passwords => out.bytes("password", text),
            Request::Password(_) => out.bool("password_redacted", true),
            Request::SaslInitial { mechanism, data } => {
                match mechanism.as_slice() {
                    b"SCRAM-SHA-256" => out.str("sasl_authentication_mechanism", "scram_SHA256"),
                    b"SCRAM-SHA-256-PLUS" => out.str("sasl_authentication_mechanism", "scram_SHA256_plus"),
                    other => out.bytes("sasl_authentication_mechanism", other),
                }
                out.bytes("sasl_param", data);
            }
            Request::SaslResponse(data) => out.bytes("sasl_response", data),
            Request::Query(text) => out.bytes("simple_query", text),
            Request::CopyData { messages, bytes } => {
                out.open_object("copy_data_in");
                out.uint("msg_count", *messages);
                out.uint("data_size", *bytes);
                out.close();
            }
            Request::Terminate => out.str("message", "termination_message"),
            Request::None => {}
        }
    }
}

/// A member whose key comes from the wire: kept to letters that need no escaping.
pub fn member(out: &mut JsonWriter, name: &str, value: &[u8]) {
    let key: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' }).collect();
    out.bytes(&key, value);
}

/// Text up to its terminating zero.
pub fn text(data: &[u8]) -> &[u8] {
    data.split(|b| *b == 0).next().unwrap_or_default()
}

/// `SASLInitialResponse`: the mechanism, and what it begins with.
pub fn sasl_initial(data: &[u8]) -> Option<Request> {
    let mechanism = text(data);
    let rest = data.get(mechanism.len().saturating_add(1)..)?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    // -1: it begins with nothing.
    let len = usize::try_from(i32::from_be_bytes(*len)).unwrap_or(0);
    Some(Request::SaslInitial { mechanism: mechanism.to_vec(), data: rest.get(..len)?.to_vec() })
}
