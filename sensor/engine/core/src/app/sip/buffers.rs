//! The sticky buffers of SIP and SDP (Suricata manual, "SIP Keywords" and "SDP Keywords"), and where each finds its bytes.

use super::message::Header;
use super::tx::Content;
use super::COMPLETE;
use crate::app::Buffer;
use crate::direction::PerDir;

const BOTH: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), Some(COMPLETE));
const REQUEST: PerDir<Option<u8>> = PerDir::new(Some(COMPLETE), None);
const RESPONSE: PerDir<Option<u8>> = PerDir::new(None, Some(COMPLETE));

const fn sticky(name: &'static str, progress: PerDir<Option<u8>>, multi: bool, doc: &'static str) -> Buffer {
    Buffer { name, aliases: &[], modifier: None, progress, multi, streaming: false, doc }
}

pub const BUFFERS: &[Buffer] = &[
    sticky("sip.method", REQUEST, false, "Method of a request, e.g. `INVITE`."),
    sticky("sip.uri", REQUEST, false, "URI of a request, e.g. `sip:user@example.com`."),
    sticky("sip.request_line", REQUEST, false, "First line of a request."),
    sticky("sip.stat_code", RESPONSE, false, "Status code of a response, e.g. `404`."),
    sticky("sip.stat_msg", RESPONSE, false, "Reason phrase of a response, e.g. `Not Found`."),
    sticky("sip.response_line", RESPONSE, false, "First line of a response."),
    sticky("sip.protocol", BOTH, false, "Protocol and version, e.g. `SIP/2.0`."),
    sticky("sip.from", BOTH, true, "Each From header."),
    sticky("sip.to", BOTH, true, "Each To header."),
    sticky("sip.via", BOTH, true, "Each Via header."),
    sticky("sip.user_agent", BOTH, true, "Each User-Agent header."),
    sticky("sip.content_type", BOTH, true, "Each Content-Type header."),
    sticky("sip.content_length", BOTH, true, "Each Content-Length header."),
    sticky("sdp.origin", BOTH, true, "Originator of a session description (`o=`)."),
    sticky("sdp.session_name", BOTH, true, "Name of the session (`s=`)."),
    sticky("sdp.session_info", BOTH, true, "Information on the session (`i=`)."),
    sticky("sdp.uri", BOTH, true, "Where more on the session is found (`u=`)."),
    sticky("sdp.email", BOTH, true, "Each email address of the session (`e=`)."),
    sticky("sdp.phone_number", BOTH, true, "Each phone number of the session (`p=`)."),
    sticky("sdp.connection_data", BOTH, true, "Connection of the session (`c=`)."),
    sticky("sdp.bandwidth", BOTH, true, "Each proposed bandwidth of the session (`b=`)."),
    sticky("sdp.time", BOTH, true, "Each start and stop time of the session (`t=`)."),
    sticky("sdp.repeat_time", BOTH, true, "Each repeat time of the session (`r=`)."),
    sticky("sdp.timezone", BOTH, true, "Time zone adjustments of the session (`z=`)."),
    sticky("sdp.encryption_key", BOTH, true, "Encryption key of the session (`k=`)."),
    sticky("sdp.attribute", BOTH, true, "Each attribute of the session (`a=`)."),
    sticky("sdp.media.media", BOTH, true, "Each medium, e.g. `audio 49170 RTP/AVP 0` (`m=`)."),
    Buffer {
        name: "sdp.media.media_info",
        aliases: &["sdp.media.session_info"],
        modifier: None,
        progress: BOTH,
        multi: true,
        streaming: false,
        doc: "Each title of a medium (`i=`).",
    },
    sticky("sdp.media.connection_data", BOTH, true, "Each connection of a medium (`c=`)."),
    sticky("sdp.media.encryption_key", BOTH, true, "Each encryption key of a medium (`k=`)."),
];

/// The `index`-th instance of buffer `local`.
pub fn find(content: &Content, local: usize, index: usize) -> Option<&[u8]> {
    let name = BUFFERS.get(local)?.name;
    if let Some(field) = name.strip_prefix("sdp.") {
        return sdp(content, field, index);
    }
    let start = &content.head.start;
    let header = match name {
        "sip.from" => Header::From,
        "sip.to" => Header::To,
        "sip.via" => Header::Via,
        "sip.user_agent" => Header::UserAgent,
        "sip.content_type" => Header::ContentType,
        "sip.content_length" => Header::ContentLength,
        _ if index > 0 => return None,
        "sip.method" => return start.method(),
        "sip.uri" => return start.uri(),
        "sip.request_line" => return Some(start.line.as_slice()).filter(|_| start.request),
        "sip.stat_code" => return start.code(),
        "sip.stat_msg" => return start.reason(),
        "sip.response_line" => return Some(start.line.as_slice()).filter(|_| !start.request),
        "sip.protocol" => return Some(start.version()),
        _ => return None,
    };
    content.head.values(header).nth(index)
}

fn sdp<'a>(content: &'a Content, field: &str, index: usize) -> Option<&'a [u8]> {
    let sdp = content.sdp.as_ref()?;
    if let Some(field) = field.strip_prefix("media.") {
        let kind = match field {
            "media" => b'm',
            "media_info" => b'i',
            "connection_data" => b'c',
            "encryption_key" => b'k',
            _ => return None,
        };
        return sdp.media(kind, index);
    }
    let kind = match field {
        "origin" => b'o',
        "session_name" => b's',
        "session_info" => b'i',
        "uri" => b'u',
        "email" => b'e',
        "phone_number" => b'p',
        "connection_data" => b'c',
        "bandwidth" => b'b',
        "time" => b't',
        "repeat_time" => b'r',
        "timezone" => b'z',
        "encryption_key" => b'k',
        "attribute" => b'a',
        _ => return None,
    };
    sdp.session(kind, index)
}
