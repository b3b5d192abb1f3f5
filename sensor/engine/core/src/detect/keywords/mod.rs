//! The registry of rule keywords: one static entry each, one word in `KEYWORDS`. Sticky buffers and legacy modifiers are not
//! listed here: they come from the protocols' own entries.

pub mod app;
mod asn1;
mod base64;
mod byte_variables;
mod bytes;
mod checksum;
mod configure;
mod content;
mod dataset;
mod dcerpc;
mod dnp3;
mod enip;
mod entropy;
mod events;
pub mod file;
mod file_hash;
mod flow;
mod flowbits;
mod frame;
mod ftp;
mod geoip;
mod header_buffers;
mod http2;
mod icmp;
mod ike;
mod ip;
mod iprep;
mod krb5;
mod later;
mod ldap;
mod lua;
mod manual;
pub mod meta;
mod modbus;
mod nfs;
pub mod number;
mod pcre;
mod position;
mod side;
mod size;
mod ssh;
mod tcp;
mod text;
pub mod threshold;
mod tls_text;
mod transforms;
pub mod tx_number;
mod variable;
mod xbits;

pub use super::diagnostic::Severity;
pub use later::{LATER, LATER_PROTOCOLS};
pub use manual::{directions, keywords_json};

use super::buffers;
use super::builder::RuleBuilder;
use super::diagnostic::Refusal;
use crate::app::{Number, Protocol, PROTOCOLS};
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a keyword is about; the order of the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Meta,
    Payload,
    ContentModifier,
    Buffer,
    Transform,
    Packet,
    Flow,
    App,
    Threshold,
}

/// A keyword. Its examples are tests: a rule of `accepts` must build, one of `refuses` must not.
pub struct Keyword {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    /// One or two sentences for the manual.
    pub doc: &'static str,
    pub example: &'static str,
    /// Options of whole rules.
    pub accepts: &'static [&'static str],
    pub refuses: &'static [&'static str],
    pub parse: fn(&mut RuleBuilder<'_>, Option<&str>) -> Result<(), Refusal>,
}

impl Keyword {
    /// What entries leave out.
    const EMPTY: Keyword = Keyword {
        name: "",
        aliases: &[],
        kind: Kind::Meta,
        doc: "",
        example: "",
        accepts: &[],
        refuses: &[],
        parse: |_, _| Ok(()),
    };
}

/// Every keyword. One word adds one.
#[rustfmt::skip]
pub static KEYWORDS: &[&Keyword] = &[
    &meta::MSG, &meta::SID, &meta::GID, &meta::REV, &meta::CLASSTYPE, &meta::PRIORITY, &meta::REFERENCE, &meta::METADATA,
    &meta::TARGET, &meta::NOALERT, &meta::ALERT, &meta::TAG, &meta::REQUIRES, &meta::BYPASS, &meta::PREFILTER,
    &meta::NFQ_SET_MARK, &meta::TLS_STORE, &configure::CONFIG,
    &content::CONTENT, &content::URICONTENT, &content::NOCASE, &content::RAWBYTES, &content::REPLACE, &content::FAST_PATTERN,
    &position::OFFSET, &position::DEPTH, &position::STARTSWITH, &position::ENDSWITH, &position::DISTANCE, &position::WITHIN,
    &pcre::PCRE, &asn1::ASN1,
    &size::ISDATAAT, &size::BSIZE, &size::DSIZE, &size::URILEN, &size::ABSENT,
    &bytes::BYTE_TEST, &bytes::BYTE_JUMP, &byte_variables::BYTE_EXTRACT, &byte_variables::BYTE_MATH,
    &base64::BASE64_DECODE, &base64::BASE64_DATA, &entropy::ENTROPY,
    &header_buffers::IPV4, &header_buffers::IPV6, &header_buffers::TCP, &header_buffers::UDP, &header_buffers::ICMPV4,
    &header_buffers::ICMPV6, &header_buffers::ETHER, &header_buffers::IGMP, &header_buffers::PKT_DATA,
    &transforms::TO_LOWERCASE, &transforms::TO_UPPERCASE, &transforms::STRIP_WHITESPACE, &transforms::COMPRESS_WHITESPACE,
    &transforms::TO_MD5, &transforms::TO_SHA1, &transforms::TO_SHA256, &transforms::DOTPREFIX, &transforms::DOMAIN,
    &transforms::TLD, &transforms::URL_DECODE, &transforms::XOR, &transforms::HEADER_LOWERCASE,
    &transforms::STRIP_PSEUDO_HEADERS, &transforms::CASECHANGE, &transforms::PCREXFORM, &transforms::FROM_BASE64,
    &flow::FLOW, &flow::STREAM_SIZE, &flow::AGE, &flow::PKTS, &flow::BYTES, &flow::PKTS_TOSERVER, &flow::PKTS_TOCLIENT,
    &flow::BYTES_TOSERVER, &flow::BYTES_TOCLIENT, &flowbits::FLOWBITS, &flowbits::FLOWINT, &xbits::XBITS, &xbits::HOSTBITS,
    &variable::FLOWVAR, &variable::PKTVAR, &iprep::IPREP, &geoip::GEOIP,
    &lua::LUA, &lua::LUAXFORM,
    &threshold::THRESHOLD, &threshold::DETECTION_FILTER,
    &app::APP_LAYER_PROTOCOL, &app::APP_LAYER_EVENT, &frame::FRAME,
    &dataset::DATASET, &dataset::DATAREP,
    &dcerpc::IFACE, &dcerpc::OPNUM,
    &file::FILENAME, &file::FILEEXT, &file::FILESIZE, &file::FILEMAGIC, &file::FILESTORE,
    &file_hash::FILEMD5, &file_hash::FILESHA1, &file_hash::FILESHA256,
    &events::DECODE_EVENT, &events::STREAM_EVENT, &events::ENGINE_EVENT,
    &ip::TTL, &ip::TOS, &ip::ID, &ip::IPOPTS, &ip::IP_PROTO, &ip::SAMEIP, &ip::FRAGBITS, &ip::FRAGOFFSET, &ip::VLAN_ID,
    &ip::VLAN_LAYERS, &ip::L3_PROTO, &ip::IGMP_TYPE,
    &tcp::FLAGS, &tcp::SEQ, &tcp::ACK, &tcp::WINDOW, &tcp::MSS, &tcp::WSCALE,
    &checksum::IPV4, &checksum::TCPV4, &checksum::TCPV6, &checksum::UDPV4, &checksum::UDPV6, &checksum::ICMPV4,
    &checksum::ICMPV6, &checksum::IGMP, &header_buffers::IP_SRC, &header_buffers::IP_DST,
    &icmp::ITYPE, &icmp::ICODE, &icmp::ICMP_ID, &icmp::ICMP_SEQ, &icmp::ICMPV6_MTU,
    &tx_number::TLS_VERSION, &tx_number::SSL_VERSION,
    &tx_number::SSL_STATE, &tx_number::TLS_CHAIN_LEN, &tx_number::TLS_NOTBEFORE, &tx_number::TLS_NOTAFTER,
    &tx_number::TLS_EXPIRED, &tx_number::TLS_VALID,
    &ssh::PROTOVERSION, &ssh::SOFTWAREVERSION,
    &ftp::FTPBOUNCE, &ftp::FTPDATA_COMMAND, &ftp::FTP_MODE, &ftp::FTP_REPLY_RECEIVED,
    &http2::SETTINGS,
    &krb5::TICKET_ENCRYPTION, &ike::CHOSEN_SA_ATTRIBUTE,
    &ldap::RESPONSES_OPERATION, &ldap::RESPONSES_RESULT_CODE,
    &nfs::NFS_PROCEDURE, &nfs::RPC,
    &dnp3::INDICATIONS, &dnp3::OBJECT, &enip::CIP_SERVICE, &modbus::MODBUS,
    &tls_text::SUBJECT, &tls_text::ISSUERDN, &tls_text::FINGERPRINT,
];

/// What a name in a rule stands for.
#[derive(Clone, Copy)]
pub enum Entry {
    Keyword(&'static Keyword),
    /// A sticky buffer, by its number in `detect::buffers`.
    Buffer(u16),
    /// A legacy content modifier, by the number of its buffer.
    Modifier(u16),
    /// An integer keyword of a protocol's entry.
    Number(&'static Protocol, &'static Number),
    /// Suricata knows it, this build does not yet.
    Later,
}

static TABLE: LazyLock<HashMap<&'static str, Entry, ahash::RandomState>> = LazyLock::new(|| {
    let mut table = HashMap::default();
    for name in LATER {
        table.insert(*name, Entry::Later);
    }
    for protocol in PROTOCOLS {
        for buffer in protocol.buffers {
            if let Some(number) = buffers::find(buffer.name) {
                table.insert(buffer.name, Entry::Buffer(number));
                for alias in buffer.aliases {
                    table.insert(alias, Entry::Buffer(number));
                }
                if let Some(modifier) = buffer.modifier {
                    table.insert(modifier, Entry::Modifier(number));
                }
            }
        }
    }
    if let Some(number) = buffers::find(buffers::MAGIC_NAME) {
        table.insert(buffers::MAGIC_NAME, Entry::Buffer(number));
    }
    for protocol in PROTOCOLS {
        for number in protocol.numbers {
            for name in std::iter::once(&number.name).chain(number.aliases) {
                table.insert(name, Entry::Number(protocol, number));
            }
        }
    }
    for keyword in KEYWORDS {
        for name in std::iter::once(&keyword.name).chain(keyword.aliases) {
            table.insert(name, Entry::Keyword(keyword));
        }
    }
    table
});

/// By name (lower case) or alias.
pub fn find(name: &str) -> Option<Entry> {
    TABLE.get(name).copied()
}

/// The refusal of a name nobody knows.
pub fn unknown(name: &str) -> Refusal {
    let fix = match nearest(name, TABLE.keys().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "see: haidang keywords".to_owned(),
    };
    Refusal::error(format!("unknown keyword `{name}`"), fix)
}

/// The known name with the fewest edits, if few.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    const NAME_MAX: usize = 64;
    let limit = (name.len() / 3).clamp(1, 4);
    if name.len() > NAME_MAX {
        return None;
    }
    known
        .into_iter()
        .filter(|k| k.len().abs_diff(name.len()) <= limit)
        .map(|k| (edits(name.as_bytes(), k.as_bytes()), k))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, k)| k)
}

/// Levenshtein distance.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (slot, y) in row.iter_mut().skip(1).zip(b) {
            let substitute = diagonal.saturating_add(usize::from(x != y));
            diagonal = *slot;
            left = substitute.min(left.saturating_add(1)).min(diagonal.saturating_add(1));
            *slot = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
