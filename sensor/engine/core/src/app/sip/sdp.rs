//! A session description (RFC 4566): the values of its lines, session first, then one part per medium.

use super::message::trim_line_end;
use crate::json::JsonWriter;

/// Lines that are kept: a browser's offer of audio and video has about 300. Finding the n-th of a kind walks them.
const LINES_MAX: usize = 512;

/// Lines of the session, or of one medium. `kind` is the letter before the equals sign.
#[derive(Debug, Default)]
struct Part {
    lines: Vec<(u8, Vec<u8>)>,
}

impl Part {
    fn values(&self, kind: u8) -> impl Iterator<Item = &[u8]> {
        self.lines.iter().filter(move |(k, _)| *k == kind).map(|(_, value)| value.as_slice())
    }
    fn first(&self, kind: u8) -> Option<&[u8]> {
        self.values(kind).next()
    }
}

#[derive(Debug, Default)]
pub struct Sdp {
    session: Part,
    /// Each begins with its `m=` line.
    media: Vec<Part>,
}

impl Sdp {
    /// None: this is no session description.
    pub fn read(body: &[u8]) -> Option<Sdp> {
        let mut sdp = Sdp::default();
        for line in body.split_inclusive(|b| *b == b'\n').take(LINES_MAX) {
            let line = trim_line_end(line);
            let [kind @ b'a'..=b'z', b'=', value @ ..] = line else {
                if line.is_empty() {
                    continue;
                }
                break;
            };
            if *kind == b'm' {
                sdp.media.push(Part::default());
            }
            let part = sdp.media.last_mut().unwrap_or(&mut sdp.session);
            part.lines.push((*kind, value.to_vec()));
        }
        let first = sdp.session.lines.first().map(|(kind, _)| *kind);
        (first == Some(b'v')).then_some(sdp)
    }

    /// The `index`-th value of a kind of line in the session's part.
    pub fn session(&self, kind: u8, index: usize) -> Option<&[u8]> {
        self.session.values(kind).nth(index)
    }
    /// The `index`-th value of a kind of line over all media.
    pub fn media(&self, kind: u8, index: usize) -> Option<&[u8]> {
        self.media.iter().flat_map(|part| part.values(kind)).nth(index)
    }
    /// Writes the members of the `sdp` object.
    pub fn log(&self, out: &mut JsonWriter) {
        let text = |out: &mut JsonWriter, part: &Part, key: &str, kind: u8| {
            if let Some(value) = part.first(kind) {
                out.bytes(key, value);
            }
        };
        let list = |out: &mut JsonWriter, part: &Part, key: &str, kind: u8| {
            if part.first(kind).is_some() {
                out.open_array(key);
                part.values(kind).for_each(|value| out.item_bytes(value));
                out.close_array();
            }
        };
        let session = &self.session;
        text(out, session, "origin", b'o');
        text(out, session, "session_name", b's');
        text(out, session, "session_info", b'i');
        text(out, session, "uri", b'u');
        text(out, session, "email", b'e');
        text(out, session, "phone_number", b'p');
        text(out, session, "connection_data", b'c');
        list(out, session, "bandwidths", b'b');
        self.log_times(out);
        text(out, session, "timezone", b'z');
        text(out, session, "encryption_key", b'k');
        list(out, session, "attributes", b'a');
        if self.media.is_empty() {
            return;
        }
        out.open_array("media_descriptions");
        for medium in &self.media {
            out.open();
            text(out, medium, "media", b'm');
            text(out, medium, "media_info", b'i');
            list(out, medium, "bandwidths", b'b');
            text(out, medium, "connection_data", b'c');
            text(out, medium, "encryption_key", b'k');
            list(out, medium, "attributes", b'a');
            out.close();
        }
        out.close_array();
    }

    /// Each `t=` with the first `r=` behind it.
    fn log_times(&self, out: &mut JsonWriter) {
        if self.session.first(b't').is_none() {
            return;
        }
        out.open_array("time_descriptions");
        let mut open = false;
        let mut repeated = false;
        for (kind, value) in &self.session.lines {
            match kind {
                b't' => {
                    if open {
                        out.close();
                    }
                    out.open();
                    out.bytes("time", value);
                    (open, repeated) = (true, false);
                }
                b'r' if open && !repeated => {
                    out.bytes("repeat_time", value);
                    repeated = true;
                }
                _ => {}
            }
        }
        if open {
            out.close();
        }
        out.close_array();
    }
}
