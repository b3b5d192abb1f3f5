//! The `sip` object of EVE.

use super::tx::Content;
use crate::json::JsonWriter;

/// Writes the members of the object.
pub fn log(content: &Content, out: &mut JsonWriter) {
    let start = &content.head.start;
    if let (Some(method), Some(uri)) = (start.method(), start.uri()) {
        out.bytes("method", method);
        out.bytes("uri", uri);
    }
    out.bytes("version", start.version());
    if let (Some(code), Some(reason)) = (start.code(), start.reason()) {
        out.bytes("code", code);
        out.bytes("reason", reason);
    }
    out.bytes(if start.request { "request_line" } else { "response_line" }, &start.line);
    if let Some(sdp) = &content.sdp {
        out.open_object("sdp");
        sdp.log(out);
        out.close();
    }
}
